"""Where a run's cells and its printed means disagree: which of them gives the printed average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.published.finding import Finding
from uniapl_cli.published.sums import benchmark_cells, half_unit, mean_of
from uniapl_cli.published.table import Published, Table, summaries


def sides() -> Iterator[Finding]:
    """Find the runs whose Avg follows from one of the two alone: the other is what is wrong."""
    seen = set()
    for one in summaries():
        for run in one.runs:
            cells = benchmark_cells(run.run)
            if cells and run.run not in seen:
                seen.add(run.run)
                yield from _side(one, run, *cells[0])


def _side(one: Table, run: Published, other: Table, cells: Mapping[str, str]) -> Iterator[Finding]:
    twin = other.run(run.run)
    wrong = [domain for domain in _domains() if _apart(run.values[domain], _values(cells, domain))]
    if not wrong or twin is None:
        return
    by_cells = not _apart(twin.values[AVERAGE], [Fraction(cell) for cell in cells.values()])
    by_means = not _apart(run.values[AVERAGE], _as_twelve(run), slack=2)
    if by_cells == by_means:
        return
    label = f"{one.named(run.run)} in Table {one.number}, {other.named(run.run)} in {other.number}"
    if by_cells:
        listed = ", ".join(one.label(domain) for domain in wrong)
        average = twin.values[AVERAGE]
        what = f"{label}: the cells give Avg {average}, the means do not, {listed} being wrong"
        places = tuple((one.number, run.run, domain) for domain in wrong)
    else:
        sums = "; ".join(_sums(other, run, cells, domain) for domain in wrong)
        what = f"{label}: the means give Avg {run.values[AVERAGE]}, the cells do not: {sums}"
        names = [name for domain in wrong for name in means()[domain]]
        places = tuple((other.number, run.run, name) for name in names)
    yield Finding("side", f"Tables {one.number} and {other.number}", what, places)


def _sums(other: Table, run: Published, cells: Mapping[str, str], domain: str) -> str:
    names = list(means()[domain])
    there = sum(_values(cells, domain), Fraction())
    wanted = Fraction(run.values[domain]) * len(names)
    listed = ", ".join(other.label(name) for name in names)
    return f"{listed} add up to {float(there):.2f}, by their mean to {float(wanted):.2f}"


def _domains() -> list[str]:
    return [name for name in means() if name != AVERAGE]


def _values(cells: Mapping[str, str], domain: str) -> list[Fraction]:
    return [Fraction(cells[name]) for name in means()[domain]]


def _as_twelve(run: Published) -> list[Fraction]:
    """Return a row's means, each as often as it has benchmarks."""
    return [Fraction(run.values[name]) for name in _domains() for _ in means()[name]]


def _apart(printed: str, values: list[Fraction], slack: int = 2) -> bool:
    """Whether a printed mean differs from that of figures by more than rounding explains."""
    return abs(Fraction(printed) - mean_of(values)) > slack * half_unit(printed)
