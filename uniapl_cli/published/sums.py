"""Means that their own figures do not give, and figures printed differently in two tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import combinations

from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.published.finding import Finding, Kind
from uniapl_cli.published.repeats import mislabelled
from uniapl_cli.published.table import Published, Table, benchmarks_of, detailed, summaries, tables

CENT = Decimal("0.01")


def mean_of(values: list[Fraction], weights: list[int] | None = None) -> Fraction:
    """Return a mean, exactly."""
    weights = weights or [1] * len(values)
    return sum((w * v for w, v in zip(weights, values, strict=True)), Fraction()) / sum(weights)


def half_unit(printed: str) -> Fraction:
    """Return how far rounding may have moved a printed figure, by its decimals."""
    return Fraction(1, 2 * 10 ** len(printed.partition(".")[2]))


def rounded(value: Fraction) -> str:
    """Return a mean with three decimals."""
    return f"{float(value):.3f}"


def averages() -> Iterator[Finding]:
    """Check each Avg: of Tables 7 to 12 by its own cells, of 2 to 6 by the means in its row."""
    sizes = {mean: len(names) for mean, names in means().items() if mean != AVERAGE}
    for one in tables():
        for run in one.runs:
            parts = {name: value for name, value in run.values.items() if name != AVERAGE}
            weights = None if one.by_column else [sizes[name] for name in parts]
            given = mean_of([Fraction(value) for value in parts.values()], weights)
            slack = mean_of([half_unit(value) for value in parts.values()], weights)
            kind: Kind = "average" if one.by_column else "domains"
            of = "its twelve cells" if one.by_column else "the row's means, by their sizes,"
            yield from _compared(kind, one, run, AVERAGE, given, slack, of)


def domain_means() -> Iterator[Finding]:
    """Check each figure of Tables 2 to 6 by the run's benchmarks in Tables 7 to 12."""
    for one in summaries():
        for run in one.runs:
            for measure in run.values:
                yield from _by_benchmarks(one, run, measure)


def _by_benchmarks(one: Table, run: Published, measure: str) -> Iterator[Finding]:
    seen: set[tuple[str, ...]] = set()
    for other, cells in benchmark_cells(run.run):
        names = means()[measure]
        values = tuple(cells[name] for name in names)
        if values in seen:
            continue
        seen.add(values)
        given = mean_of([Fraction(value) for value in values])
        slack = mean_of([half_unit(value) for value in values])
        of = f"Table {other.number}'s {', '.join(values) if len(values) < 4 else 'cells'}"
        yield from _compared("mean", one, run, measure, given, slack, of, other)


def benchmark_cells(run: str) -> list[tuple[Table, Mapping[str, str]]]:
    """Return a run's benchmarks by the tables that print them under their own label."""
    found = [(one, one.run(run)) for one in detailed() if (one.number, run) not in mislabelled()]
    return [(one, benchmarks_of(mine)) for one, mine in found if mine is not None]


def _compared(
    kind: Kind,
    one: Table,
    run: Published,
    measure: str,
    given: Fraction,
    slack: Fraction,
    of: str,
    other: Table | None = None,
) -> Iterator[Finding]:
    printed = run.values[measure]
    distance = abs(Fraction(printed) - given)
    name = f"{one.named(run.run)}, {one.label(measure)}"
    places = [(one.number, run.run, measure)]
    if distance > slack + half_unit(printed):
        same = [
            one.named(mine.run)
            for mine in one.runs
            if mine.values[measure] == printed and mine.run != run.run
        ]
        hint = f"; {printed} is also that of {' and '.join(same)}" if same else ""
        what = f"{name}: {printed} is printed, {of} give {rounded(given)}{hint}"
        if other is not None:
            places += [(other.number, run.run, measure)] if measure == AVERAGE else []
        where = f"Table {one.number}"
        yield Finding(kind, where, what, tuple(places), printed, rounded(given))
    elif kind != "domains" and printed not in roundings(given):
        what = f"{name}: {printed} is printed, {of} give {float(given):.4f}"
        where = f"Table {one.number}"
        yield Finding("last digit", where, what, tuple(places), printed, f"{float(given):.4f}")


def roundings(value: Fraction) -> set[str]:
    """Return what rounding to two decimals gives, half up and half to even."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return {str(exact.quantize(CENT, how)) for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)}


def decimals() -> Iterator[Finding]:
    """Find figures that are not printed with two decimals."""
    for one in tables():
        for run in one.runs:
            for measure, printed in run.values.items():
                if len(printed.partition(".")[2]) != 2:
                    what = f"{one.named(run.run)}, {one.label(measure)}: {printed} is printed"
                    places = ((one.number, run.run, measure),)
                    yield Finding("last digit", f"Table {one.number}", what, places, printed)


def printed_twice() -> Iterator[Finding]:
    """Compare the figures of one run that two tables print, Avg with Avg and cell with cell."""
    for one, other in combinations(tables(), 2):
        for run in one.runs:
            twin = other.run(run.run)
            wrong = {(one.number, run.run), (other.number, run.run)} & mislabelled().keys()
            if twin is None or wrong:
                continue
            for measure, printed in run.values.items():
                there = twin.values.get(measure)
                if there is not None and there != printed:
                    yield _differing(one, other, run.run, measure, printed, there)


def _differing(
    one: Table, other: Table, run: str, measure: str, printed: str, there: str
) -> Finding:
    what = (
        f"{one.named(run)} in Table {one.number}, {other.named(run)} in Table {other.number}: "
        f"{one.label(measure)} is {printed} and {there}"
    )
    places = ((one.number, run, measure), (other.number, run, measure))
    return Finding(
        "elsewhere", f"Tables {one.number} and {other.number}", what, places, printed, there
    )


def standard_error(share: float, questions: int) -> float:
    """Return a share's standard error in points."""
    return 100 * math.sqrt(share * (1 - share) / questions)
