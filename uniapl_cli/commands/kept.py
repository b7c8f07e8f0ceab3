"""The answers that eval.out keeps: where they are, what decided them, whose they are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows, check_appended, read_record
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.tasks import Task
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError
from uniapl_cli.evaluation.benchmarks import Graded
from uniapl_cli.evaluation.likelihoods import LIKELIHOOD
from uniapl_cli.evaluation.results import ANSWERS, NAME

log = logging.getLogger("uniapl")

# What of an answers' record says how they were drawn.
DECODING = ("prompts", "thinking", "system", "sampling")


def answer_file(config: Config, task: Task, draw: str) -> Path:
    """Return the file of a benchmark's answers by one draw, or of its options' likelihoods."""
    name = task.name if draw == LIKELIHOOD else f"{task.name}.{draw}"
    return Path(config.eval.out) / ANSWERS / f"{name}.jsonl"


def provenance(
    config: Config, task: Task, draw: str, measured: Measured | None
) -> Mapping[str, Any]:
    """Return what decides the answers; where they are only graded, what their file says."""
    if measured is None:
        return read_record(answer_file(config, task, draw))
    if draw == LIKELIHOOD:
        return measured.provenance()
    # Not the rule, which also grades: of each question there is a digest.
    sampling = config.eval.draws[draw].sampling.model_dump()
    return {**measured.provenance(), "sampling": sampling}


def check_answers(config: Config, tasks: Sequence[Task], measured: Measured | None) -> None:
    """Refuse kept answers that were made otherwise, and files that cannot be written.

    Where they are only graded, all files must be there. Raises DataError and ConfigError, before
    anything is asked.
    """
    for task, draw in _files(config, tasks):
        file = answer_file(config, task, draw)
        with config.blaming("eval.out"):
            check_appended(str(file))
            there = file.is_file() and file.stat().st_size > 0
            if there:
                AppendOnlyRows(file, provenance(config, task, draw, measured), "eval.out").check()
        if measured is None and not there and not all(map(_refused, task.items)):
            raise incomplete(task)


def _files(config: Config, tasks: Sequence[Task]) -> Iterator[tuple[Task, str]]:
    for task in tasks:
        draws = [LIKELIHOOD] if task.compares_options else config.eval.draws
        yield from ((task, draw) for draw in draws)


def _refused(item: Any) -> bool:
    return bool(getattr(item, "refused", ""))


def incomplete(task: Task) -> ConfigError:
    """Return the error that answers are to be graded which are not there."""
    return ConfigError(
        f"{task.benchmark.title}: answers are missing, and only those that are kept are graded",
        "Leave --grade-only out to have them generated",
        got=task.name,
    )


def decoding(config: Config, task: Task, draw: str, graded: Sequence[Graded]) -> dict[str, Any]:
    """Return how answers were drawn, as their file says; {} where options were compared."""
    if draw == LIKELIHOOD:
        return {}
    record = read_record(answer_file(config, task, draw))
    samples = len({one.sample for one in graded})
    return {**{key: record.get(key) for key in DECODING}, "samples": samples}


def answered_by(config: Config, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return name, model and inputs of answers that are only graded, from the earlier eval.json.

    Where there is none, eval.model is taken at its word, and the inputs are what the answers'
    record has of them.
    """
    try:
        text = (Path(config.eval.out) / NAME).read_text(encoding="utf-8")
        earlier = json.loads(text)
        known = {name: earlier[name] for name in ("name", "model", "inputs")}
    except (OSError, ValueError, KeyError, TypeError):
        records = (provenance(config, task, draw, None) for task, draw in _files(config, tasks))
        record = next(filter(None, records), {})
        names = [name for name in ("eval.model", "chat.template") if name in record]
        return {"inputs": {name: record[name] for name in names}}
    if known["model"] != config.eval.model:
        log.warning(
            "the answers in '%s' are those of '%s'; eval.model=%s is not looked at",
            *(config.eval.out, known["model"], config.eval.model),
        )
    return known if config.eval.name is None else {**known, "name": config.eval.name}
