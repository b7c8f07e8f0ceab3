"""What the paper's text says of its tables, held against them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.evaluation.scores import means
from uniapl_cli.published.digits import figure_error
from uniapl_cli.published.finding import Finding, Place
from uniapl_cli.published.sums import benchmark_cells, mean_of
from uniapl_cli.published.table import is_summary, table

FILE = Path(__file__).with_name("claims.json")
# What "comparable" may mean: less than the standard error of most benchmarks.
COMPARABLE = Fraction(1)
WORDS: Mapping[str, Callable[[Fraction], bool]] = {
    "more": lambda difference: difference > 0,
    "no less": lambda difference: difference >= -COMPARABLE,
    "about": lambda difference: abs(difference) <= COMPARABLE,
}


@dataclass(frozen=True)
class Claim:
    """A claim, in our words. against: the comparisons that do not bear it out, a line each.

    thin: those that do by less than two standard errors of the difference. printed: whether the
    figures of the table that it speaks of bear it out.
    """

    where: str
    claim: str
    against: tuple[str, ...]
    places: tuple[Place, ...]
    printed: bool
    thin: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Side:
    """A run's figure: as printed, and as its benchmarks give it."""

    label: str
    place: Place
    printed: Fraction
    given: Fraction


@cache
def claims() -> list[Claim]:
    """Hold each claim against the printed figures, and against those that benchmarks give."""
    return [_claim(read) for read in json.loads(FILE.read_text("utf-8"))]


def _claim(read: Mapping[str, Any]) -> Claim:
    against: list[str] = [read["silent"]] if "silent" in read else []
    places: list[Place] = []
    thin: list[str] = []
    as_printed = not against
    for check in read.get("checks", ()):
        for measure in check["measures"]:
            left = _side(check["table"], check["run"], measure)
            right = _side(check.get("over_table", check["table"]), check["over"], measure)
            printed, given = left.printed - right.printed, left.given - right.given
            as_printed = as_printed and _holds(check, printed)
            if _holds(check, printed) and _holds(check, given):
                thin += _thin(check, left, right, measure)
                continue
            where = "as printed" if not _holds(check, printed) else "by their benchmarks"
            wrong = printed if where == "as printed" else given
            label = table(left.place[0]).label(measure)
            line = f"{left.label} less {right.label}, {label}: {float(wrong):+.2f} {where}"
            if wrong is given:
                line += f" ({float(printed):+.2f} as printed)"
            against.append(line)
            places += [left.place, right.place]
    told = tuple(against), tuple(places), as_printed, tuple(thin)
    return Claim(read["where"], read["claim"], *told)


def _thin(check: Mapping[str, Any], left: _Side, right: _Side, measure: str) -> list[str]:
    """Return the comparison if it claims a gain that is within two standard errors."""
    error = math.hypot(*(figure_error(*side.place) for side in (left, right)))
    difference = float(left.printed - right.printed)
    if check.get("is") != "more" or abs(difference) > 2 * error:
        return []
    one = table(left.place[0])
    mine = one.run(left.place[1])
    assert mine is not None
    what = f"{left.label} less {right.label}, {mine.model.removeprefix('Qwen3-')}"
    return [f"{what}, {one.label(measure)}: {difference:+.2f} ± {error:.2f}"]


def _holds(check: Mapping[str, Any], difference: Fraction) -> bool:
    if "by" in check:
        return abs(difference - Fraction(check["by"])) <= Fraction(1, 100)
    return WORDS[check["is"]](difference)


def _side(number: int, run: str, measure: str) -> _Side:
    one = table(number)
    mine = one.run(run)
    if mine is None:
        raise KeyError(f"{FILE.name}: no run {run} in Table {number}")
    printed = Fraction(mine.values[measure])
    given = printed
    cells = benchmark_cells(run)
    if is_summary(one) and cells:
        given = mean_of([Fraction(cells[0][1][name]) for name in means()[measure]])
    label = one.named(run) if not mine.group.startswith("Qwen") else f"{mine.label}"
    return _Side(label, (number, run, measure), printed, given)


def unsupported() -> Iterator[Finding]:
    """Find the claims that the tables do not bear out."""
    for claim in claims():
        if claim.against:
            what = f"{claim.claim}: {'; '.join(claim.against)}"
            yield Finding("claim", claim.where, what, claim.places)
