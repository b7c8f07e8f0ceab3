"""Evaluations of one model trained at several seeds: means with intervals by Student's t."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.results import draws_of, mains_of

LEVEL = 0.95


def over_seeds(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for the evaluations whose names are equal up to a trailing `-SEED`.

    An estimate is {mean, interval, n, values}: a value a seed, in the order of `seeds`, None if it
    was not measured; n counts the others. Raises DataError for evaluations that cannot be one row.
    """
    groups: dict[str, dict[str | None, Mapping[str, Any]]] = {}
    for result in results:
        name, seed = split_seed(result["name"])
        group = groups.setdefault(name, {})
        if seed in group:
            problem = f"'{result['name']}' is given twice; each seed counts once"
            raise DataError(problem, got=result["name"])
        group[seed] = result
    return [_row(name, group) for name, group in groups.items()]


def split_seed(name: str) -> tuple[str, str | None]:
    """Return a name without its trailing `-SEED`, and the seed."""
    match = re.fullmatch(r"(.+)-(\d+)", name)
    return (match[1], match[2]) if match else (name, None)


def _row(name: str, group: Mapping[str | None, Mapping[str, Any]]) -> dict[str, Any]:
    results = list(group.values())
    data = {str(result["data"]): result["name"] for result in results}
    if len(data) > 1:
        listed = " and ".join(f"{whose} on {what}" for what, whose in data.items())
        problem = f"'{name}' was measured on different data: {listed}"
        raise DataError(problem, got=list(data))
    names = {
        (draw, metric): 0
        for result in results
        for draw, metrics in draws_of(result).items()
        for metric in metrics
    }
    draws: dict[str, dict[str, Any]] = {}
    for draw, metric in names:
        estimates = [draws_of(result).get(draw, {}).get(metric) for result in results]
        values = [None if estimate is None else estimate["mean"] for estimate in estimates]
        draws.setdefault(draw, {})[metric] = summary(values)
    row = {"name": name, "data": results[0]["data"], "seeds": list(group), "draws": draws}
    mains = list(dict.fromkeys(main for result in results for main in mains_of(result)))
    return {**row, "mains": mains} if mains else row


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """Return the values with their mean and its interval, None if there are too few."""
    known = [value for value in values if value is not None]
    n = len(known)
    mean = math.fsum(known) / n if n else None
    interval = None
    if mean is not None and n > 1:
        variance = math.fsum((value - mean) ** 2 for value in known) / (n - 1)
        half = student_t((1 + LEVEL) / 2, n - 1) * math.sqrt(variance / n)
        interval = [mean - half, mean + half]
    return {"mean": mean, "interval": interval, "n": n, "values": list(values)}


def student_t(p: float, degrees: int) -> float:
    """Return the p-quantile of Student's t, 0.5 <= p < 1, by halving an interval around it."""
    low, high = 0.0, 1.0
    while _central(high, degrees) < 2 * p - 1:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if _central(middle, degrees) < 2 * p - 1:
            low = middle
        else:
            high = middle
    return high


def _central(t: float, degrees: int) -> float:
    """Return P(|T| <= t). Abramowitz and Stegun 26.7.3 (odd degrees) and 26.7.4 (even)."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = degrees % 2
    factor = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(2 + odd, degrees + 1, 2):
        total += factor
        factor *= square * (k - 1) / k
    if odd:
        return 2 / math.pi * (angle + sine * total)
    return sine * total
