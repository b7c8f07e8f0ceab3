"""The benchmarks of `uniapl eval`: their rows, the model's answers, the scores."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from uniapl_cli.commands.contamination import TrainingRows
from uniapl_cli.commands.kept import answer_file, decoding, incomplete, provenance
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.tasks import Task
from uniapl_cli.config.schema import Config
from uniapl_cli.evaluation.answers import AnswerFile, Draw
from uniapl_cli.evaluation.benchmarks import Graded
from uniapl_cli.evaluation.likelihoods import LIKELIHOOD, LikelihoodFile, choose
from uniapl_cli.evaluation.measure import ask, grade
from uniapl_cli.evaluation.scores import domains, doubts, score
from uniapl_cli.files import dump
from uniapl_cli.verifiers import Judge

log = logging.getLogger("uniapl")


def measure_tasks(
    config: Config,
    tasks: Sequence[Task],
    measured: Measured | None,
    judge: Judge,
    samples: TextIO,
) -> dict[str, Any]:
    """Return the results by benchmark, and the paper's means by draw; write all samples.

    Without a model, the answers that are kept are graded again, and all must be there.
    """
    results: dict[str, Any] = {}
    trained = TrainingRows(config)
    for task in tasks:
        scores: dict[str, Any] = {}
        for draw, started, graded in _graded(config, task, measured, judge):
            scores[draw] = score(task.benchmark, graded)
            scores[draw]["seconds"] = round(time.monotonic() - started, 1)
            scores[draw]["decoding"] = decoding(config, task, draw, graded)
            for doubt in doubts(task.benchmark, draw, scores[draw]):
                log.warning("%s %s: %s", task.benchmark.title, draw, doubt)
            about = {"benchmark": task.name, "draws": draw}
            samples.writelines(dump({**about, **one.row, "marks": one.marks}) for one in graded)
            samples.flush()  # so that a full disk leaves the results as they were
        shared = trained.overlap(task.items)
        if shared and shared["found"]:
            log.warning(
                "%s: %d of %d questions share %d words in a row with the training rows",
                *(task.benchmark.title, shared["found"], shared["compared"], shared["n"]),
            )
        results[task.name] = {**task.describe(), "contamination": shared, "draws": scores}
    means = {draw: domains(mains(results, draw)) for draw in config.eval.draws}
    return {"benchmarks": results, "domains": means if results else {}}


def mains(results: Mapping[str, Any], draw: str) -> dict[str, tuple[Mapping[str, Any], bool]]:
    """Return each benchmark's main estimate by a draw, and whether rows of it are left out."""
    return {
        name: (
            result["draws"][draw]["metrics"][result["main"]],
            result["rows"] < result["of"] or bool(result["refused"]),
        )
        for name, result in results.items()
        if draw in result["draws"]
    }


def _graded(
    config: Config, task: Task, measured: Measured | None, judge: Judge
) -> Iterator[tuple[str, float, list[Graded]]]:
    """Yield (draw, when it began, its graded answers)."""
    if task.compares_options:
        started = time.monotonic()
        file = answer_file(config, task, LIKELIHOOD)
        kept = LikelihoodFile(file, provenance(config, task, LIKELIHOOD, measured))
        known = kept.likelihoods(task.items, lambda: _scorer(task, measured), task.name)
        yield LIKELIHOOD, started, choose(task.benchmark, task.items, known)
        return
    for name, options in config.eval.draws.items():
        started = time.monotonic()
        answers = AnswerFile(
            answer_file(config, task, name),
            provenance(config, task, name, measured),
            Draw(name, options.samples, options.sampling, config.seed),
            long_is_wrong=config.eval.too_long == "wrong",
        )
        title = f"{task.name} {name}"
        found = ask(task.items, answers, lambda: _teacher(task, measured), title)
        yield name, started, grade(task.benchmark, task.items, found, judge, f"grade {title}")


def _teacher(task: Task, measured: Measured | None) -> Any:
    if measured is None:
        raise incomplete(task)
    return measured.teacher()


def _scorer(task: Task, measured: Measured | None) -> Any:
    if measured is None:
        raise incomplete(task)
    return measured.score
