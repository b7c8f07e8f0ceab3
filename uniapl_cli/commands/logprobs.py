"""uniapl analyse logprobs: how likely responses are to the models and to the teacher."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.analysis.logprobs import compare_logprobs
from uniapl_cli.analysis.numbers import NumberFile, Place
from uniapl_cli.analysis.totals import PASS_TOKENS, Pair, batches, totals
from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.commands.agreement import score_file
from uniapl_cli.commands.device import device_name
from uniapl_cli.commands.prompts import Prompts
from uniapl_cli.commands.replies import ask, response_ids
from uniapl_cli.commands.subject import Subject
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import DataError
from uniapl_cli.runs.fingerprint import of_text

log = logging.getLogger("uniapl")

Models = Mapping[str, Subject]
LOGPS, LOGP = "logps", "logp"


@dataclass(frozen=True)
class Responses:
    """Responses as a model reads them. places: id and sample of each; pairs: token ids."""

    places: Sequence[tuple[str, int]]
    pairs: Sequence[Pair]


def logp_file(config: Config, whose: str, subject: Subject) -> NumberFile:
    """Return the file of log-probabilities of responses.

    whose: `rows`, or the name of the model whose they are.
    """
    folder = Path(config.analyse.out) / LOGPS / config.analyse.responses
    by = subject.key.rpartition(".")[2] if subject.key != "teacher.path" else f"{whose}.teacher"
    return NumberFile(folder / f"{by}.jsonl", LOGP, subject.provenance())


def check_numbers(
    config: Config, kind: str, models: Models, expert: Subject | None
) -> list[AppendOnlyRows]:
    """Return the files of kept numbers that an analysis will write."""
    if kind == "agreement":
        return [score_file(config, name).rows for name in models]
    if kind != "logprobs" or expert is None:
        return []
    own = config.analyse.responses == "models"
    files = [logp_file(config, name, one) for name, one in models.items()]
    files += [logp_file(config, name, expert) for name in (models if own else ["rows"])]
    return [file.rows for file in files]


def measure_logprobs(
    config: Config, models: Models, expert: Subject | None, prompts: Prompts
) -> dict[str, Any]:
    """Return the log-probabilities of the responses under each model and the teacher.

    Models are loaded one after the other, the teacher last.
    """
    assert expert is not None, "loaded for this analysis"
    own = config.analyse.responses == "models"
    read: dict[str, tuple[Responses, Responses]] = {}
    students: dict[str, list[float]] = {}
    for name, subject in models.items():
        if own:
            read[name] = _own(config, name, subject, expert, prompts)
        else:
            read[name] = _of_rows(prompts, subject), _of_rows(prompts, expert)
        students[name] = _totals(config, name, subject, read[name][0])
        subject.let_go()
    index = {row.id: number for number, row in enumerate(prompts.rows)}
    compared = {}
    for name, (mine, theirs) in read.items():
        teachers = _totals(config, name if own else "rows", expert, theirs)
        tokens = [len(response) for _, response in mine.pairs]
        which = [index[id] for id, _ in mine.places]
        compared[name] = compare_logprobs(students[name], teachers, tokens, which)
    expert.let_go()
    about = {"responses": config.analyse.responses, "teacher": expert.path}
    return {**about, "models": compared}


def _of_rows(prompts: Prompts, subject: Subject) -> Responses:
    items = prompts.encoded[subject.key]
    pairs = [(item.prompt, item.response or ()) for item in items]
    return Responses([(item.example.id, 0) for item in items], pairs)


def _own(
    config: Config, name: str, subject: Subject, expert: Subject, prompts: Prompts
) -> tuple[Responses, Responses]:
    """Return a model's own responses as it and as the teacher reads them, those that both can."""
    answers = ask(config, name, subject, prompts.rows)
    flat = [answer for one in answers for answer in one]
    places = [
        (row.id, n) for row, one in zip(prompts.rows, answers, strict=True) for n in range(len(one))
    ]
    read = []
    for reader in (subject, expert):
        asked = [
            item.prompt
            for item in prompts.encoded[reader.key]
            for _ in range(config.analyse.samples)
        ]
        read.append(list(zip(asked, response_ids(reader, flat), strict=True)))
    kept = [
        at
        for at in range(len(flat))
        if all(
            _readable(one, pairs[at]) for one, pairs in zip((subject, expert), read, strict=True)
        )
    ]
    if not kept:
        raise DataError(f"none of {name}'s responses has a token that both models can read")
    if len(kept) < len(flat):
        log.warning(
            "%s: %d responses without a token, or too long for a model, are left out",
            name,
            len(flat) - len(kept),
        )
    left = [places[at] for at in kept]
    mine, theirs = (Responses(left, [pairs[at] for at in kept]) for pairs in read)
    return mine, theirs


def _readable(subject: Subject, pair: Pair) -> bool:
    prompt, response = pair
    return bool(response) and len(prompt) + len(response) <= subject.context


def _totals(config: Config, whose: str, subject: Subject, read: Responses) -> list[float]:
    """Return the log-probabilities of responses under a model; those that are kept are not anew."""
    places = [
        Place(id, sample, of_text(json.dumps([list(prompt), list(response)])))
        for (id, sample), (prompt, response) in zip(read.places, read.pairs, strict=True)
    ]
    budget = PASS_TOKENS.get(device_name(config).partition(":")[0], PASS_TOKENS["cpu"])

    def compute(batch: Sequence[int]) -> list[float]:
        with config.blaming(subject.key):
            return totals(subject.policy, [read.pairs[index] for index in batch])

    by = "the teacher" if subject.key == "teacher.path" else subject.key.rpartition(".")[2]
    title = f"log-probabilities under {by}"
    file = logp_file(config, whose, subject)
    return file.numbers(places, batches(read.pairs, budget), compute, title)
