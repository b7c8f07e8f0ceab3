"""The paper's Tables 2 to 12, as they are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.scores import AVERAGE

FOLDER = Path(__file__).parent / "tables"
NUMBERS = tuple(range(2, 13))


@dataclass(frozen=True)
class Measure:
    """A benchmark, by its name in the registry, or a mean, by its name in eval.json's `domains`.

    The column that the paper calls MATH-500 is `math`: its figures are shares of 5,000.
    """

    of: str
    label: str


@dataclass(frozen=True)
class Published:
    """A model's row, or column: its figures by measure, with the digits that are printed.

    run: the trained model, the same in all tables. group: the heading that it stands under.
    imitates: whose responses its SFT is on, "teacher" or "gt" (ground truth); compares: whose
    the discriminator compares with. weight: lambda_adv.
    """

    run: str
    label: str
    model: str
    method: str
    values: Mapping[str, str]
    group: str = ""
    imitates: str = ""
    compares: str = ""
    weight: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the paper. by_column: whether a model is a column there, not a row."""

    number: int
    title: str
    by_column: bool
    measures: tuple[Measure, ...]
    runs: tuple[Published, ...]

    def run(self, name: str) -> Published | None:
        """Return the figures of a run, if it is here."""
        return next((run for run in self.runs if run.run == name), None)

    def named(self, run: str) -> str:
        """Return a run's label, with its heading where another run has that label too."""
        one = next(mine for mine in self.runs if mine.run == run)
        shared = sum(other.label == one.label for other in self.runs) > 1
        return f"{one.label} ({one.group})" if shared else one.label

    def label(self, measure: str) -> str:
        """Return what the table calls a measure."""
        return next(mine.label for mine in self.measures if mine.of == measure)


@cache
def table(number: int) -> Table:
    """Return a table by its number in the paper. Raises DataError."""
    if number not in NUMBERS:
        allowed = [str(known) for known in NUMBERS]
        raise DataError(
            f"the paper has no table {number} of results",
            f"Choose --table from {allowed[0]} to {allowed[-1]}",
            got=number,
            allowed=allowed,
        )
    read = json.loads((FOLDER / f"table{number}.json").read_text("utf-8"))
    measures = tuple(Measure(**measure) for measure in read["measures"])
    names = [measure.of for measure in measures]
    return Table(
        number,
        read["title"],
        read["runs_are"] == "columns",
        measures,
        tuple(
            Published(
                run["run"],
                run["label"],
                run["model"],
                run["method"],
                dict(zip(names, run["values"], strict=True)),
                run.get("group", ""),
                run.get("imitates", ""),
                run.get("compares", ""),
                run.get("lambda", ""),
            )
            for run in read["runs"]
        ),
    )


def tables() -> list[Table]:
    """Return all tables."""
    return [table(number) for number in NUMBERS]


def detailed() -> list[Table]:
    """Return the tables of single benchmarks, 7 to 12."""
    return [one for one in tables() if not is_summary(one)]


def summaries() -> list[Table]:
    """Return the tables of means alone, 2 to 6."""
    return [one for one in tables() if is_summary(one)]


def is_summary(one: Table) -> bool:
    """Whether a table has means only."""
    return not one.by_column


def benchmarks_of(run: Published) -> dict[str, str]:
    """Return a run's figures on benchmarks, without means."""
    return {name: value for name, value in run.values.items() if name != AVERAGE}
