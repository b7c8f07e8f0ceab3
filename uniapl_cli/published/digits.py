"""What the digits give away: of how many questions a figure can be a share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.published.finding import Finding
from uniapl_cli.published.sums import half_unit, roundings, standard_error
from uniapl_cli.published.table import Published, Table, benchmarks_of, detailed, table

# The numbers of questions that a benchmark's figures may be shares of. The first is that of the set
# that the paper's name for it means.
SIZES: dict[str, dict[int, str]] = {
    "ifeval": {541: "prompts", 834: "instructions"},
    "mmlu": {14042: "test"},
    "mmlu_pro": {12032: "test"},
    "gpqa": {198: "Diamond", 448: "main"},
    "humaneval": {164: "all"},
    "mbpp": {500: "test", 257: "sanitized", 974: "all"},
    "gsm8k": {1319: "test"},
    "math": {500: "MATH-500", 5000: "MATH, test, or ten draws of MATH-500"},
    "theoremqa": {800: "all", 747: "without pictures"},
    "cmmlu": {11582: "test"},
    "ceval": {1346: "val", 12342: "test"},
}
CONVERSATIONS = 4501  # of Multi-IF, whose figures are no shares
# Chance, where one of so many options is right.
OPTIONS = {"mmlu": 4, "gpqa": 4, "cmmlu": 4, "ceval": 4, "mmlu_pro": 10}
# A fall below this share of the first column's figure, where a neighbour keeps more than the other.
FALLEN, KEPT = Fraction(1, 2), Fraction(4, 5)
# Of more questions than this nearly every figure with two decimals is a share.
TELLING = 6000


@dataclass(frozen=True)
class Fit:
    """How many of a benchmark's figures are shares of so many questions."""

    benchmark: str
    questions: int
    of: str
    fitting: int
    figures: int

    @property
    def by_chance(self) -> float:
        """Return the share of figures that would fit if they were drawn at random."""
        return min(1.0, self.questions / 10_000)


def columns() -> list[tuple[Table, Published]]:
    """Return the columns of all tables of benchmarks."""
    return [(one, run) for one in detailed() for run in one.runs]


@cache
def is_share(printed: str, questions: int) -> bool:
    """Whether a whole number of right answers gives a figure, as it is printed."""
    value, slack = Fraction(printed), half_unit(printed)
    return abs(Fraction(100 * nearest(printed, questions), questions) - value) <= slack


def nearest(printed: str, questions: int) -> int:
    """Return the number of right answers that comes nearest to a figure."""
    return round(Fraction(printed) * questions / 100)


def fits() -> list[Fit]:
    """Count for each benchmark and size the figures that are shares of it."""
    return [
        Fit(
            name,
            size,
            of,
            sum(is_share(run.values[name], size) for _, run in columns()),
            len(columns()),
        )
        for name, sizes in SIZES.items()
        for size, of in sizes.items()
    ]


def best(name: str) -> Fit | None:
    """Return the size that most figures of a benchmark fit, if nearly all do and it can tell."""
    mine = [fit for fit in fits() if fit.benchmark == name and fit.questions <= TELLING]
    top = max(mine, key=lambda fit: fit.fitting, default=None)
    return top if top is not None and top.fitting > 0.9 * top.figures else None


def counts() -> Iterator[Finding]:
    """Find the figures that are no shares of the number of questions that the others are of."""
    for name in SIZES:
        fit = best(name)
        if fit is None:
            continue
        for one, run in columns():
            printed = run.values[name]
            if not is_share(printed, fit.questions):
                yield _no_share(one, run, name, fit.questions)
            elif len(printed.partition(".")[2]) == 2:
                yield from _misrounded(one, run, name, fit.questions)


def _no_share(one: Table, run: Published, name: str, questions: int) -> Finding:
    printed = run.values[name]
    right = nearest(printed, questions)
    around = sorted({right, right + (1 if Fraction(printed) * questions > 100 * right else -1)})
    given = " and ".join(f"{k}/{questions} = {100 * k / questions:.3f}" for k in around)
    what = f"{one.named(run.run)}, {one.label(name)}: {printed} is printed, nearest are {given}"
    places = ((one.number, run.run, name),)
    return Finding("count", f"Table {one.number}", what, places, printed, given)


def _misrounded(one: Table, run: Published, name: str, questions: int) -> Iterator[Finding]:
    printed = run.values[name]
    right = nearest(printed, questions)
    given = Fraction(100 * right, questions)
    if printed not in roundings(given):
        share = f"{right}/{questions} = {float(given):.3f}"
        what = f"{one.named(run.run)}, {one.label(name)}: {printed} is printed for {share}"
        places = ((one.number, run.run, name),)
        yield Finding("last digit", f"Table {one.number}", what, places, printed, share)


def sizes() -> Iterator[Finding]:
    """Find the benchmarks whose figures are shares of another size than their name means."""
    for name, known in SIZES.items():
        meant = next(iter(known))
        mine = {fit.questions: fit for fit in fits() if fit.benchmark == name}
        fit = best(name)
        label = detailed()[0].label(name)
        if fit is not None and fit.questions != meant:
            what = (
                f"{label}: {mine[meant].fitting} of {fit.figures} figures are k/{meant}, "
                f"{fit.fitting} are k/{fit.questions} ({known[fit.questions]})"
            )
            yield Finding("size", "Tables 7 to 12", what)
        elif fit is None and meant <= TELLING:
            what = (
                f"{label}: {mine[meant].fitting} of {mine[meant].figures} figures are "
                f"k/{meant} ({known[meant]}): a mean of subjects' means, or another split"
            )
            yield Finding("size", "Tables 7 to 12", what)


def below_chance() -> Iterator[Finding]:
    """Find scores below chance by more than two standard errors: unread answers count as wrong."""
    for name, options in OPTIONS.items():
        questions = next(iter(SIZES[name]))
        error = standard_error(1 / options, questions)
        for one, run in columns():
            if float(benchmarks_of(run)[name]) < 100 / options - 2 * error:
                what = (
                    f"{one.named(run.run)}, {one.label(name)}: {run.values[name]}, where one of "
                    f"{options} options is right ({100 / options:.0f} ± {error:.1f})"
                )
                places = ((one.number, run.run, name),)
                yield Finding("chance", f"Table {one.number}", what, places, run.values[name])


def figure_error(number: int, run: str, measure: str) -> float:
    """Return the standard error in points of a printed share, or mean of shares."""
    figures = table(number).run(run)
    assert figures is not None, run
    names = list(means()[measure]) if measure in means() else [measure]
    errors = []
    for name in names:
        share = float(figures.values.get(name, figures.values[measure])) / 100
        asked = best(name) if name in SIZES else None
        questions = asked.questions if asked else next(iter(SIZES.get(name, {CONVERSATIONS: ""})))
        errors.append(standard_error(share, questions))
    return math.hypot(*errors) / len(names)


def collapses() -> Iterator[Finding]:
    """Find benchmarks that a run loses alone of its domain: as if the grader could not read it.

    It is held against its table's first column: the model before training, or the first run.
    """
    for one in detailed():
        first, *others = one.runs
        for run in others:
            shares = {
                name: Fraction(value) / Fraction(first.values[name])
                for name, value in benchmarks_of(run).items()
            }
            for domain, names in means().items():
                fallen = [name for name in names if shares[name] < FALLEN]
                kept = [name for name in names if shares[name] > KEPT]
                if domain != AVERAGE and fallen and kept:
                    yield _collapsed(one, run, fallen, kept)


def _collapsed(one: Table, run: Published, fallen: list[str], kept: list[str]) -> Finding:
    first = one.runs[0]
    told = [
        ", ".join(f"{one.label(n)} {run.values[n]} of {first.values[n]}" for n in names)
        for names in (fallen, kept)
    ]
    what = f"{one.named(run.run)}: {told[0]} is left of {one.named(first.run)}'s; {told[1]}"
    places = tuple((one.number, run.run, name) for name in fallen)
    return Finding("collapse", f"Table {one.number}", what, places)
