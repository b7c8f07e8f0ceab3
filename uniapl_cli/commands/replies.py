"""The models' responses that `uniapl analyse` keeps, sampled once for all of its analyses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uniapl_cli.analysis.numbers import KEY
from uniapl_cli.commands.subject import Subject
from uniapl_cli.config.schema import Config
from uniapl_cli.evaluation.answers import AnswerFile, Asked, Draw
from uniapl_cli.evaluation.results import ANSWERS
from uniapl_cli.teachers import Answer
from uniapl_cli.types import Example

# What seeds the draws; all models draw with the same numbers.
DRAW = "analyse"


def answer_file(config: Config, name: str, subject: Subject) -> AnswerFile:
    """Return the file of a model's answers."""
    options = config.analyse
    sampling = options.sampling.model_dump()
    return AnswerFile(
        Path(options.out) / ANSWERS / f"{name}.jsonl",
        {**subject.provenance(), "seed": config.seed, "sampling": sampling},
        Draw(DRAW, options.samples, options.sampling, config.seed),
        key=KEY,
    )


def ask(config: Config, name: str, subject: Subject, rows: Sequence[Example]) -> list[list[Answer]]:
    """Return a model's answers by prompt; those that its file lacks are sampled."""
    numbers = tuple(range(config.analyse.samples))
    asked = [Asked(row.id, 0, numbers, row.prompt, row.origin, row.tools) for row in rows]
    found = answer_file(config, name, subject).answers(asked, subject.sampler, f"answers of {name}")
    return [[found[row.id, 0, number] for number in numbers] for row in rows]


def response_ids(subject: Subject, answers: Sequence[Answer]) -> list[list[int]]:
    """Return the token ids of answers, as training would read them.

    One that was cut off has no stop token.
    """
    whole = subject.chat.encode_responses([answer.text for answer in answers])
    pairs = zip(whole, answers, strict=True)
    return [ids if answer.finish_reason == "stop" else ids[:-1] for ids, answer in pairs]
