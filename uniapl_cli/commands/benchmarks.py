"""The benchmarks of `uniapl eval`: their rows, the model's answers, the scores."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from uniapl_cli.appending import read_record
from uniapl_cli.commands.contamination import TrainingRows
from uniapl_cli.commands.measured import Measured
from uniapl_cli.config.keys import plain
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.evaluation.answers import AnswerFile, Draw
from uniapl_cli.evaluation.benchmarks import Benchmark, ChoiceItem, Graded, benchmarks
from uniapl_cli.evaluation.likelihoods import LIKELIHOOD, LikelihoodFile, choose
from uniapl_cli.evaluation.measure import ask, chosen, grade
from uniapl_cli.evaluation.results import ANSWERS
from uniapl_cli.evaluation.scores import domains, doubts, refusals, score
from uniapl_cli.fetching.snapshot import dataset_folder, is_hub_name
from uniapl_cli.files import dump
from uniapl_cli.options import Options
from uniapl_cli.registry import KIND
from uniapl_cli.runs.fingerprint import of_text
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.verifiers import Judge

log = logging.getLogger("uniapl")

# Options of a benchmark that decide which rows are measured, and no answer.
OF_ROWS = (KIND, "data", "limit", "subsets")


# What of an answers' record says how they were drawn.
DECODING = ("prompts", "thinking", "system", "sampling")


@dataclass(frozen=True)
class Task:
    """A benchmark with the items that are measured, of `total` that there are."""

    name: str
    benchmark: Benchmark
    items: Sequence[Any]
    total: int

    @property
    def compares_options(self) -> bool:
        """Whether options are compared by their likelihoods, and nothing is generated."""
        return bool(self.items) and isinstance(self.items[0], ChoiceItem)

    @property
    def rule(self) -> str:
        """The benchmark's rule by its full name, with the options that are not its defaults."""
        fields = type(self.benchmark).model_fields
        changed = [f" {n}={v}" for n, v in self.options.items() if v != fields[n].default]
        return f"{benchmarks.entry(self.benchmark).name}/{self.benchmark.rule}{''.join(changed)}"

    @property
    def licence(self) -> str | None:
        """The licence of its rows; None where that is not known."""
        upstream = self.benchmark.upstream
        return None if upstream is None else upstream.licence

    @property
    def options(self) -> dict[str, Any]:
        """The options that decide its questions."""
        return {n: v for n, v in plain(self.benchmark).items() if n not in OF_ROWS}

    def describe(self) -> dict[str, Any]:
        """Return what eval.json says of the benchmark beside its scores."""
        return {
            "title": self.benchmark.title,
            "rule": self.rule,
            "domain": self.benchmark.domain,
            "main": self.benchmark.main,
            "options": self.options,
            "rows": len(self.items),
            "of": self.total,
            "digest": of_text(repr([_content(item) for item in self.items])),
            "licence": self.licence,
            "refused": refusals(self.items),
        }


def find_tasks(config: Config) -> list[Task]:
    """Read the rows of eval.benchmarks. Raises DataError and ConfigError, before any model."""
    return [_task(config, name, options) for name, options in config.eval.benchmarks.items()]


def _task(config: Config, name: str, options: Options) -> Task:
    assert isinstance(options, Benchmark), "the base of all benchmarks"
    key = f"eval.benchmarks.{name}"
    with config.blaming(f"{key}.data" if options.data else "eval.benchmark_data"):
        data = data_of(config, options)
        items = read_items(options, data)
    known = {item.subset: 0 for item in items}
    for subset in options.subsets:
        if subset not in known:
            raise config.error(
                f"{key}.subsets",
                f"{options.title} has no subset '{subset}'",
                f"There are: {', '.join(sorted(known))}",
                got=subset,
            )
    limit = options.limit if options.limit is not None else config.eval.limit
    task = Task(name, options, chosen(options, items, limit), len(items))
    if not task.items:
        raise DataError(f"{options.title} has no rows in '{data}'", got=str(data))
    if task.compares_options and config.eval.server is not None:
        raise config.error(
            "eval.server",
            f"{options.title} by '{task.rule}' compares how likely the options are, and a chat "
            "server does not tell",
            f"Leave {name} out, or load the model with eval.server=null",
            got=name,
        )
    return task


def read_items(options: Benchmark, data: Path) -> Sequence[Any]:
    """Read a benchmark's rows. Raises DataError for two of one id, by which answers are kept."""
    items = options.items(data)
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DataError(f"two rows have the id '{item.id}'", where=item.origin, got=item.id)
        seen.add(item.id)
    return items


def data_of(config: Config, options: Benchmark) -> Path:
    """Return the file or folder of a benchmark's rows; those of a hub name are fetched."""
    if options.data is not None:
        name = resolve(options.data)
        return dataset_folder(name) if is_hub_name(name) else Path(name)
    shared = "" if options.upstream is None else options.upstream.folder
    return Path(config.eval.benchmark_data) / (shared or benchmarks.entry(options).name)


def _content(item: Any) -> Any:
    """Return what decides an item, without where it stands."""
    return [getattr(item, name) for name in type(item).__slots__ if name != "origin"]


def measure_tasks(
    config: Config,
    tasks: Sequence[Task],
    measured: Measured | None,
    judge: Judge,
    out: Path,
    samples: TextIO,
) -> dict[str, Any]:
    """Return the results by benchmark, and the paper's means by draw; write all samples.

    Without a model, the answers that are kept are graded again, and all must be there.
    """
    results: dict[str, Any] = {}
    trained = TrainingRows(config)
    for task in tasks:
        scores: dict[str, Any] = {}
        for draw, started, graded in _graded(config, task, measured, judge, out):
            scores[draw] = score(task.benchmark, graded)
            scores[draw]["seconds"] = round(time.monotonic() - started, 1)
            scores[draw]["decoding"] = decoding(out, task.name, draw, graded)
            for doubt in doubts(task.benchmark, scores[draw]):
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


def decoding(out: Path, name: str, draw: str, graded: Sequence[Graded]) -> dict[str, Any]:
    """Return how answers were drawn, as their file says; {} where options were compared."""
    if draw == LIKELIHOOD:
        return {}
    record = read_record(out / ANSWERS / f"{name}.{draw}.jsonl")
    samples = len({one.sample for one in graded})
    return {**{key: record.get(key) for key in DECODING}, "samples": samples}


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
    config: Config, task: Task, measured: Measured | None, judge: Judge, out: Path
) -> Iterator[tuple[str, float, list[Graded]]]:
    """Yield (draw, when it began, its graded answers)."""
    if task.compares_options:
        started = time.monotonic()
        file = out / ANSWERS / f"{task.name}.jsonl"
        kept = LikelihoodFile(file, _provenance(file, task, measured, {}))
        known = kept.likelihoods(task.items, lambda: _scorer(task, measured), task.name)
        yield LIKELIHOOD, started, choose(task.benchmark, task.items, known)
        return
    for name, options in config.eval.draws.items():
        started = time.monotonic()
        draw = Draw(name, options.samples, options.sampling, config.seed)
        file = out / ANSWERS / f"{task.name}.{name}.jsonl"
        sampling = {"sampling": options.sampling.model_dump()}
        answers = AnswerFile(
            file,
            _provenance(file, task, measured, sampling),
            draw,
            long_is_wrong=config.eval.too_long == "wrong",
        )
        title = f"{task.name} {name}"
        found = ask(task.items, answers, lambda: _teacher(task, measured), title)
        yield name, started, grade(task.benchmark, task.items, found, judge, f"grade {title}")


def _provenance(
    file: Path, task: Task, measured: Measured | None, sampling: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what decides the answers; where they are only graded, what their file says."""
    if measured is None:
        return read_record(file)
    # Not the rule, which also grades: of each question there is a digest.
    return {**measured.provenance(), **sampling}


def _teacher(task: Task, measured: Measured | None) -> Any:
    if measured is None:
        raise _incomplete(task)
    return measured.teacher()


def _scorer(task: Task, measured: Measured | None) -> Any:
    if measured is None:
        raise _incomplete(task)
    return measured.score


def _incomplete(task: Task) -> ConfigError:
    return ConfigError(
        f"{task.benchmark.title}: answers are missing, and only those that are kept are graded",
        "Leave --grade-only out to have them generated",
        got=task.name,
    )
