"""uniapl analyse lengths: the lengths of the models' responses beside the teacher's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from uniapl_cli.analysis.lengths import Lengths, compare_lengths
from uniapl_cli.commands.prompts import Prompts
from uniapl_cli.commands.replies import ask, response_ids
from uniapl_cli.commands.subject import Subject
from uniapl_cli.config.schema import Config

log = logging.getLogger("uniapl")


def measure_lengths(
    config: Config, models: Mapping[str, Subject], prompts: Prompts
) -> dict[str, Any]:
    """Return the lengths of all models' and the teacher's responses, with their distances.

    One tokenizer, the first model's, counts all: a text is as long whoever wrote it.
    """
    name, counter = next(iter(models.items()))
    others = different(models)
    if others:
        log.warning(
            "lengths are counted by the tokenizer of %s; %s have others", name, ", ".join(others)
        )
    expert = Lengths(
        [[len(item.response or ())] for item in prompts.encoded[counter.key]],
        [[not row.finished] for row in prompts.rows],
    )
    lengths = {}
    for name, subject in models.items():
        answers = ask(config, name, subject, prompts.rows)
        subject.let_go()
        lengths[name] = Lengths(
            [[len(ids) for ids in response_ids(counter, one)] for one in answers],
            [[answer.finish_reason != "stop" for answer in one] for one in answers],
        )
    about = {"tokenizer": counter.path, "other_tokenizers": others}
    return {**about, **compare_lengths(expert, lengths)}


def different(models: Mapping[str, Subject]) -> list[str]:
    """Return the models whose tokenizer has other tokens than the first one's."""
    first, *others = models
    known = models[first].chat.tokenizer.get_vocab()
    return [name for name in others if models[name].chat.tokenizer.get_vocab() != known]
