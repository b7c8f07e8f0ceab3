"""The rows of `uniapl eval`'s benchmarks, read and chosen before a model is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.config.keys import plain
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import Benchmark, ChoiceItem, benchmarks
from uniapl_cli.evaluation.measure import chosen
from uniapl_cli.evaluation.scores import refusals
from uniapl_cli.fetching.snapshot import dataset_folder, is_hub_name
from uniapl_cli.options import Options
from uniapl_cli.registry import KIND
from uniapl_cli.runs.fingerprint import of_text
from uniapl_cli.tiny.assets import resolve

# Options of a benchmark that decide which rows are measured, and no answer.
OF_ROWS = (KIND, "data", "limit", "subsets")


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


def find_tasks(config: Config, section: str = "eval") -> list[Task]:
    """Read the rows of a section's benchmarks. Raises DataError and ConfigError, before any model.

    The section is `eval` or `validation`.
    """
    named = getattr(config, section).benchmarks
    return [_task(config, section, name, options) for name, options in named.items()]


def _task(config: Config, section: str, name: str, options: Options) -> Task:
    assert isinstance(options, Benchmark), "the base of all benchmarks"
    key, settings = f"{section}.benchmarks.{name}", getattr(config, section)
    _check_name(config, key, name, benchmarks.entry(options).name)
    with config.blaming(f"{key}.data" if options.data else f"{section}.benchmark_data"):
        data = data_of(settings.benchmark_data, options)
        items = read_items(options, data)
    known = {item.subset: 0 for item in items}
    there = ", ".join(sorted(filter(None, known)))
    for subset in options.subsets:
        if subset not in known:
            raise config.error(
                f"{key}.subsets",
                f"{options.title} has no subset '{subset}'",
                f"There are: {there}" if there else "It has no subsets at all: leave the key out",
                got=subset,
            )
    limit = options.limit if options.limit is not None else settings.limit
    task = Task(name, options, chosen(options, items, limit), len(items))
    if not task.items:
        problem = f"{options.title} has no rows in '{data}'"
        raise DataError(problem, f"Name its rows with {key}.data=...", key=key, got=str(data))
    if task.compares_options and getattr(settings, "server", None) is not None:
        raise config.error(
            "eval.server",
            f"{options.title} by '{task.rule}' compares how likely the options are, and a chat "
            "server does not tell",
            f"Leave {name} out, or load the model with eval.server=null",
            got=name,
        )
    return task


def _check_name(config: Config, key: str, name: str, kind: str) -> None:
    """Refuse a benchmark that would enter the paper's means in another's place."""
    if name != kind and name in benchmarks:
        raise config.error(
            key,
            f"'{name}' is a benchmark itself, and stands for {kind} here",
            f"Name it {kind}, or as no benchmark is named",
            got=kind,
        )


def read_items(options: Benchmark, data: Path) -> Sequence[Any]:
    """Read a benchmark's rows. Raises DataError for two of one id, by which answers are kept."""
    items = options.items(data)
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DataError(f"two rows have the id '{item.id}'", where=item.origin, got=item.id)
        seen.add(item.id)
    return items


def data_of(folder: str, options: Benchmark) -> Path:
    """Return the file or folder of a benchmark's rows; those of a hub name are fetched.

    folder: the section's `benchmark_data`.
    """
    if options.data is not None:
        name = resolve(options.data)
        return dataset_folder(name) if is_hub_name(name) else Path(name)
    shared = "" if options.upstream is None else options.upstream.folder
    return Path(folder) / (shared or benchmarks.entry(options).name)


def _content(item: Any) -> Any:
    """Return what decides an item, without where it stands."""
    return [getattr(item, name) for name in type(item).__slots__ if name != "origin"]
