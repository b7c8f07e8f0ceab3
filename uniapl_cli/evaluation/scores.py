"""The scores of benchmarks, the paper's domain means and its average, with standard errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from uniapl_cli.evaluation.benchmarks import Benchmark, Domain, Graded, Item, benchmarks
from uniapl_cli.evaluation.estimates import Column, Estimate, estimate, total_by_id
from uniapl_cli.evaluation.likelihoods import LIKELIHOOD

AVERAGE = "Average"


def score(benchmark: Benchmark, graded: Sequence[Graded]) -> dict[str, Any]:
    """Return the metrics, the main one by subset, and the shares of what was not read or cut off.

    errors: answers that a verifier could not judge.
    """
    columns = {benchmark.main: [], **benchmark.metrics(graded)}
    metrics = {name: _with_interval(estimate(mine)) for name, mine in columns.items()}
    return {
        "metrics": metrics,
        "unread": _share(graded, [float(one.read is None) for one in graded]),
        "cut": _share(graded, [float(one.cut) for one in graded]),
        "errors": sum(one.failed for one in graded),
        "subsets": _by_subset(benchmark, graded),
    }


def _with_interval(found: Estimate) -> dict[str, Any]:
    interval = found.interval()
    return {**found.plain(), "interval": interval and list(interval)}


def _share(graded: Sequence[Graded], values: Sequence[float]) -> float | None:
    """Return the mean of values over answers."""
    shares = total_by_id((one.item.id, (v, 1.0)) for one, v in zip(graded, values, strict=True))
    return estimate([shares]).plain()["mean"]


def _by_subset(benchmark: Benchmark, graded: Sequence[Graded]) -> dict[str, Any]:
    by_subset: dict[str, list[Graded]] = {}
    for one in graded:
        by_subset.setdefault(one.item.subset, []).append(one)
    if len(by_subset) < 2:
        return {}
    columns: dict[str, list[Column]] = {
        subset: benchmark.metrics(some).get(benchmark.main, [])
        for subset, some in by_subset.items()
    }
    return {subset: estimate(mine).plain() for subset, mine in sorted(columns.items())}


# Shares of answers beyond which a score says little of what a model can do.
MOST_UNREAD, MOST_CUT = 0.2, 0.2


def doubts(benchmark: Benchmark, draw: str, scores: Mapping[str, Any]) -> list[str]:
    """Return in a line each what speaks against a score."""
    main = scores["metrics"][benchmark.main]["mean"]
    if draw == LIKELIHOOD:
        share = scores["cut"] or 0.0
        return [f"{share:.0%} of the rows do not fit the model"] if share > MOST_CUT else []
    found = []
    for name, most, cure in (
        ("unread", MOST_UNREAD, "read some of them in samples.jsonl"),
        ("cut", MOST_CUT, f"a larger eval.draws.{draw}.sampling.max_new_tokens lets them end"),
    ):
        if (share := scores[name] or 0.0) > most:
            said = {"unread": "could not be read", "cut": "were cut off"}[name]
            found.append(f"{share:.0%} of the answers {said}: {cure}")
    if main == 0.0 and not found:
        found.append("not one answer is right: read some of them in samples.jsonl")
    return found


def refusals(items: Sequence[Any]) -> dict[str, int]:
    """Count the items that are not asked, by the reason."""
    refused = [item.refused for item in items if isinstance(item, Item) and item.refused]
    return dict(Counter(refused).most_common())


# Of one draw: a benchmark's main estimate, and whether only a part of its rows were measured.
Main = Mapping[str, tuple[Mapping[str, Any], bool]]


def domains(measured: Main) -> dict[str, Any]:
    """Return the paper's domain means and its average of all columns, with standard errors.

    Where a benchmark is missing, or a part of its rows, there is no mean: `why` says so. The
    benchmarks' errors are independent.
    """
    return {mean: _mean(columns, measured) for mean, columns in means().items()}


def members(measured: Main) -> dict[str, list[str]]:
    """Return the benchmarks that enter each mean, of those that were measured."""
    return {
        mean: [name for names in columns.values() if (name := _present(names, measured))]
        for mean, columns in means().items()
    }


def means() -> dict[str, dict[str, list[str]]]:
    """Return the columns of each of the paper's means, with the benchmarks that may be one."""
    columns = _columns()
    by_domain = {
        domain: {name: own for name, (of, own) in columns.items() if of == domain}
        for domain in get_args(Domain)
    }
    return {**by_domain, AVERAGE: {name: own for name, (_, own) in columns.items()}}


def _columns() -> dict[str, tuple[str, list[str]]]:
    """Return the columns of the paper's tables: their domain, and the benchmarks that may be it."""
    columns: dict[str, tuple[str, list[str]]] = {}
    for name in benchmarks:
        entry = benchmarks[name].definition
        if entry.domain is not None and not entry.instead_of:
            columns[name] = (entry.domain, [name])
    for name in benchmarks:
        if (other := benchmarks[name].definition.instead_of) in columns:
            columns[other][1].append(name)
    return columns


def _present(names: Sequence[str], measured: Main) -> str | None:
    return next((name for name in names if name in measured), None)


def _mean(members: Mapping[str, Sequence[str]], measured: Main) -> dict[str, Any]:
    found = [_present(names, measured) for names in members.values()]
    missing = [name for name, there in zip(members, found, strict=True) if there is None]
    present = [name for name in found if name is not None]
    partial = [name for name in present if measured[name][1]]
    why = f"not measured: {', '.join(missing)}" if missing else ""
    why = why or (f"only a part of: {', '.join(partial)}" if partial else "")
    values = [measured[name][0] for name in present]
    if why or not values or any(value["mean"] is None for value in values):
        return {"mean": None, "se": None, "why": why or "a score is not known"}
    mean = math.fsum(value["mean"] for value in values) / len(values)
    errors = [value["se"] for value in values]
    known = [error for error in errors if error is not None]
    se = math.sqrt(math.fsum(error**2 for error in known)) / len(values)
    return {"mean": mean, "se": se if len(known) == len(errors) else None}
