"""The paper's own figures: what its Figures 2, 5 and 6 show, out of its tables.

The figures' numbers are printed nowhere else. Figure 5 is on "instruction-following tasks", which
are IFEval and Multi-IF; Figure 6 on "general performance", which its section 4.1 says are the ten
others. Each is the plain mean over its benchmarks, as the tables' Avg is over all twelve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.figures.chart import Series
from uniapl_cli.figures.measured import Point, over
from uniapl_cli.published.table import benchmarks_of, table

INSTRUCTIONS = "I-Following"
SWEEPS = {5: "Instruction following", 6: "General performance"}
MEANS = {5: "Mean of IFEval and Multi-IF", 6: "Mean of the ten other benchmarks"}
ABOUT = "The paper's numbers are from its Tables 10 and 11."
ANSWERS = {10: "ground truth", 11: "teacher's responses"}


def sweep(figure: int) -> list[Series]:
    """Return the paper's means over lambda_adv, on ground truth and on the teacher's responses."""
    found = []
    for number, answers in ANSWERS.items():
        points = sorted(
            (float(run.weight), _mean(benchmarks_of(run), figure))
            for run in table(number).runs
            if run.weight
        )
        x, y = (tuple(values) for values in zip(*points, strict=True))
        found.append(Series(f"paper, {answers}", x, y, look="points", ink=True))
    return found


def _mean(cells: Mapping[str, str], figure: int) -> float:
    own = means()[INSTRUCTIONS]
    values = [float(cell) for name, cell in cells.items() if (name in own) == (figure == 5)]
    return math.fsum(values) / len(values)


def ours(evaluation: Mapping[str, Any], figure: int) -> Mapping[str, Any] | None:
    """Return an evaluation's mean of the same benchmarks, {mean, se}; None if one is missing."""
    every, own = len(means()[AVERAGE]), len(means()[INSTRUCTIONS])
    for found in evaluation.get("domains", {}).values():
        whole, part = found.get(AVERAGE) or {}, found.get(INSTRUCTIONS) or {}
        if figure == 5 and part.get("mean") is not None:
            return part
        if figure == 6 and None not in (whole.get("mean"), part.get("mean")):
            return _rest(whole, part, every, own)
    return None


def _rest(
    whole: Mapping[str, Any], part: Mapping[str, Any], every: int, own: int
) -> dict[str, Any]:
    """Return the mean of what is in the whole and not in the part; the errors are independent."""
    n = every - own
    mean = (every * whole["mean"] - own * part["mean"]) / n
    if None in (whole.get("se"), part.get("se")):
        return {"mean": mean, "se": None}
    variance = (every * whole["se"]) ** 2 - (own * part["se"]) ** 2
    return {"mean": mean, "se": math.sqrt(max(variance, 0.0)) / n}


def point(evaluations: list[Mapping[str, Any]], figure: int) -> Point | None:
    """Return the mean in percent of one evaluation, or of several seeds."""
    found = [ours(evaluation, figure) for evaluation in evaluations]
    return over([one for one in found if one is not None], 100.0)


def ifeval() -> dict[str, tuple[str, float]]:
    """Return the label and the IFEval of each model of Tables 7 to 9, by its run's name."""
    found: dict[str, tuple[str, float]] = {}
    for number in (7, 8, 9):
        for run in table(number).runs:
            size = run.model.removeprefix("Qwen3-")
            label = size if run.method == "none" else f"{size} {run.method}"
            found.setdefault(run.run, (label, float(run.values["ifeval"])))
    return dict(sorted(found.items(), key=lambda one: one[1][0].partition(" ")[0]))
