"""uniapl analyse agreement: whether the discriminator's score knows what verifiers accept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.analysis.numbers import NumberFile, Place
from uniapl_cli.analysis.scores import Scored, compare_scores
from uniapl_cli.commands import components
from uniapl_cli.commands.device import use_device
from uniapl_cli.commands.inputs import discriminator_input, without_path
from uniapl_cli.commands.prompts import Prompts
from uniapl_cli.commands.replies import ask
from uniapl_cli.commands.score import precision
from uniapl_cli.commands.subject import Subject
from uniapl_cli.config.render import recorded
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators import Discriminator, compare
from uniapl_cli.runs.fingerprint import of_text
from uniapl_cli.teachers import Answer
from uniapl_cli.verifiers import Case, Judge

log = logging.getLogger("uniapl")

SCORES, SCORE = "scores", "score"
# Responses that are scored, and then kept, at a time.
CHUNK = 256


def score_file(config: Config, name: str) -> NumberFile:
    """Return the file of the scores of a model's responses."""
    settings = recorded(config, config.discriminator, ("discriminator",), leave="may_change")
    settings.pop("path", None)  # the same model may be elsewhere tomorrow
    record = without_path(discriminator_input(config))
    provenance = {**settings, **precision(config), "model": record}
    return NumberFile(Path(config.analyse.out) / SCORES / f"{name}.jsonl", SCORE, provenance)


def measure_agreement(
    config: Config, models: Mapping[str, Subject], prompts: Prompts
) -> dict[str, Any]:
    """Return scores and verdicts of the models' responses, and how far they agree.

    The discriminator is loaded when all models have answered.
    """
    answers = {}
    for name, subject in models.items():
        answers[name] = ask(config, name, subject, prompts.rows)
        subject.let_go()
    load = cache(lambda: components.discriminator(config, use_device(config)))
    scored = {}
    with closing(components.judge(config)) as judge:
        for name, mine in answers.items():
            scores = _scores(config, name, prompts, mine, load)
            scored[name] = _judged(judge, prompts, mine, scores)
    return compare_scores(scored)


def _scores(
    config: Config,
    name: str,
    prompts: Prompts,
    answers: Sequence[Sequence[Answer]],
    load: Callable[[], Discriminator],
) -> list[float]:
    """Return r of each answer against the teacher's response to its prompt."""
    comparisons, places = [], []
    for row, mine in zip(prompts.rows, answers, strict=True):
        for sample, answer in enumerate(mine):
            one = compare(row, str(row.response), answer.text)
            digest = of_text(json.dumps([one.prompt, one.reference, one.candidate]))
            comparisons.append(one)
            places.append(Place(row.id, sample, digest))
    chunks = [range(at, min(at + CHUNK, len(places))) for at in range(0, len(places), CHUNK)]

    def compute(chunk: Sequence[int]) -> list[float]:
        return load().score([comparisons[index] for index in chunk])

    return score_file(config, name).numbers(places, chunks, compute, f"scores of {name}")


def _judged(
    judge: Judge, prompts: Prompts, answers: Sequence[Sequence[Answer]], scores: Sequence[float]
) -> Scored:
    """Return the scores with verdicts, without responses that a verifier cannot judge."""
    flat = [(at, answer) for at, mine in enumerate(answers) for answer in mine]
    rows = prompts.rows
    cases = [Case(a.text, rows[at].constraints, rows[at].origin or rows[at].id) for at, a in flat]
    verdicts = judge(cases, loose=False)
    kept = [index for index, verdict in enumerate(verdicts) if not any(verdict.errors)]
    return Scored(
        [scores[index] for index in kept],
        [verdicts[index].passed for index in kept],
        [flat[index][0] for index in kept],
        len(flat) - len(kept),
    )
