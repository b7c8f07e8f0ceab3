"""Lengths of responses, and log-probabilities beside the teacher's: the paper's Figures 3 and 4."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from uniapl_cli.figures.analyses import interval, models, numbers, value
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.density import PLACES, TAIL, bandwidth, density

TEACHER = "teacher"
# The outermost hundredth of the values may lie beyond the axis, so that few do not hide the rest.
INNER = 0.99
WIDTHS = (1.7, 1.0)
# Where all values are alike a curve has this width: tokens or nats, and nats a token.
LEAST, LEAST_A_TOKEN = 0.3, 0.01
Found = tuple[float, float | None, float | None]


def lengths(analysis: Mapping[str, Any]) -> Chart:
    """Return the lengths' densities, the teacher's in ink, and each model's distance to it."""
    teacher = numbers(analysis, "teacher", "lengths")
    names = models(analysis)
    samples = {_teacher(names): teacher}
    samples |= {name: numbers(analysis, "models", name, "lengths") for name in names}
    curves, note = _curves(samples, floor=0.0)
    curves[0] = _with(curves[0], f"{TEACHER}: mean {_mean(teacher):.1f}", ink=True)
    for index, name in enumerate(names, 1):
        curves[index] = _with(curves[index], f"{name}: mean {_mean(samples[name]):.1f}")
    distances = {
        name: interval(analysis, ["models", name, "wasserstein"], "value") for name in names
    }
    panels = (
        Panel("Length of responses", tuple(curves), "tokens", "density", x_range=_range(curves)),
        _dots("Distance to the teacher's", "Wasserstein distance, tokens", distances, zero="x"),
    )
    cut = {name: value(analysis, ["models", name, "cut"]) or 0.0 for name in names}
    if any(cut.values()):
        shares = ", ".join(f"{name} {share:.1%}" for name, share in cut.items() if share)
        note += f" Cut off at the limit: {shares}."
    note = f"Gaussian kernels, Scott's rule. Distances with 95% intervals over prompts.{note}"
    return Chart("lengths", _title("Response lengths", analysis), panels, note, widths=WIDTHS)


def logprobs(analysis: Mapping[str, Any], *, per_token: bool = False) -> Chart:
    """Return the densities of the students' log-probabilities less the teacher's, and the means."""
    names = models(analysis)
    samples = {name: _differences(analysis, name, per_token) for name in names}
    curves, note = _curves(samples, least=LEAST_A_TOKEN if per_token else LEAST)
    curves = [_with(one, f"{one.name}: spread {_spread(samples[one.name]):.3g}") for one in curves]
    key = "per_token" if per_token else "difference"
    means = {name: interval(analysis, ["models", name, key], "mean") for name in names}
    unit = "nats a token" if per_token else "nats a response"
    axis = f"log p(student) \N{MINUS SIGN} log p(teacher), {unit}"
    panels = (
        Panel("Difference", tuple(curves), axis, "density", zero="x", x_range=_range(curves)),
        _dots("Mean difference", unit, means, zero="x"),
    )
    whose = {"rows": "the rows' responses", "models": "the models' own responses"}
    of = whose.get(str(analysis.get("responses")), "responses")
    note = (
        "Gaussian kernels, Scott's rule. Spread: the standard deviation. "
        f"Means with 95% intervals.{note}"
    )
    title = _title(f"Log-probability of {of}: student less teacher", analysis)
    return Chart("logprobs", title, panels, note, widths=WIDTHS)


def _differences(analysis: Mapping[str, Any], name: str, per_token: bool) -> list[float]:
    student, teacher, tokens = (
        numbers(analysis, "models", name, key) for key in ("student", "teacher", "tokens")
    )
    count = min(len(student), len(teacher), len(tokens))
    pairs = zip(student[:count], teacher[:count], tokens[:count], strict=True)
    return [(s - t) / (n if per_token and n else 1) for s, t, n in pairs]


def _title(what: str, analysis: Mapping[str, Any]) -> str:
    prompts = analysis.get("prompts")
    return f"{what}, {prompts} prompts" if isinstance(prompts, int) else what


def _teacher(names: Sequence[str]) -> str:
    """Return the teacher's name, unlike that of any model."""
    name = TEACHER
    while name in names:
        name = f"the {name}"
    return name


def _curves(
    samples: Mapping[str, Sequence[float]], floor: float | None = None, least: float = LEAST
) -> tuple[list[Series], str]:
    """Return a density a sample over one range, and what must be said of what it leaves out."""
    known = {name: [v for v in values if math.isfinite(v)] for name, values in samples.items()}
    pooled = sorted(value for values in known.values() for value in values)
    every = sum(map(len, samples.values()))
    missing = every - len(pooled)
    widths = {name: bandwidth(values, least) for name, values in known.items() if values}
    low, high = _inner(pooled)
    tail = TAIL * max(widths.values(), default=0.0)
    low, high = low - tail, high + tail
    low = low if floor is None else max(low, floor)
    places = tuple(low + (high - low) * step / (PLACES - 1) for step in range(PLACES))
    curves = [
        Series(name, places, density(known[name], places, width, floor), look="density")
        for name, width in widths.items()
    ]
    beyond = sum(value < low or value > high for value in pooled)
    note = f" {beyond} of {every} lie beyond the axis." if beyond else ""
    note += f" {missing} of {every} are no finite numbers and left out." if missing else ""
    return curves, note


def _inner(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the ends of all values, or of the inner ones if a few lie far outside of these."""
    if not ordered:
        return 0.0, 1.0
    cut = int(len(ordered) * (1 - INNER) / 2)
    low, high = ordered[cut], ordered[-1 - cut]
    if ordered[-1] - ordered[0] <= 2 * (high - low):
        return ordered[0], ordered[-1]
    return low, high


def _range(curves: Sequence[Series]) -> tuple[float, float] | None:
    return (curves[0].x[0], curves[0].x[-1]) if curves else None


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _spread(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return stdev(known) if len(known) > 1 else 0.0


def _with(one: Series, label: str, ink: bool = False) -> Series:
    return Series(one.name, one.x, one.y, look=one.look, ink=ink, label=label)


def _dots(title: str, axis: str, found: Mapping[str, Found | None], zero: Any = "") -> Panel:
    """Return a row a model: a value and its interval."""
    series = tuple(
        Series(name, (value[0],), (float(row),), (value[1],), (value[2],), look="dots")
        for row, (name, value) in enumerate(found.items())
        if value is not None
    )
    return Panel(title, series, axis, zero=zero, categories=tuple(found))
