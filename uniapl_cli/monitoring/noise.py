"""The noise of terms' gradients, and how two of them agree: from two halves of a step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain

import torch
from torch import Tensor

from uniapl_cli.monitoring.gradients import dot, own_part
from uniapl_cli.ranks import ALONE, Ranks

NOISE, DISAGREEMENT, AGREEMENT = "noise/", "disagreement/", "agreement/"
# The fact that tells which half of its batch a row is in.
HALF = "half"
Pair = tuple[str, str]


def noisy_terms(metrics: Collection[str]) -> list[str]:
    """Return the terms whose gradients' noise these metrics need."""
    alone = [name.removeprefix(NOISE) for name in metrics if name.startswith(NOISE)]
    return sorted({*alone, *chain.from_iterable(compared(metrics))})


def compared(metrics: Collection[str]) -> list[Pair]:
    """Return the pairs of terms that these metrics compare: disagreement/A~B, agreement/A~B."""
    split = (name.partition("/") for name in metrics)
    names = {pair for first, _, pair in split if f"{first}/" in (DISAGREEMENT, AGREEMENT)}
    pairs = (name.partition("~") for name in sorted(names))
    return [(one, other) for one, _, other in pairs]


def halves(groups: Sequence[int]) -> Tensor:
    """Return which half of a batch each row is in, (B,) bool: rows of a group are in one half.

    groups: that of each row. Of the groups every second one, in their order, is in the other half.
    """
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return torch.tensor([places[group] % 2 == 1 for group in groups], dtype=torch.bool)


def noise_report(
    gradient_of: Callable[[str, bool], list[Tensor]],
    names: Sequence[str],
    pairs: Sequence[Pair],
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Return `noise/TERM`, `disagreement/A~B` and `agreement/A~B`, as if all weights were 1.

    `gradient_of(name, half)` computes a term's mean gradient over one half of its rows. The noise
    is |g - g'|^2 / 4, whose expectation is the variance of their mean, summed over the weights.
    The disagreement is |mean - other mean|^2 less the noise of both, so that its expectation is
    that of no noise; by chance it may be below 0. The agreement is the inner product of the means.
    Two copies a term are kept on the CPU.
    """
    means: dict[str, list[Tensor]] = {}
    found: list[float] = []
    for name in names:
        one, other = (
            [own_part(part).cpu() for part in gradient_of(name, half)] for half in (False, True)
        )
        apart = [a - b for a, b in zip(one, other, strict=True)]
        means[name] = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        found.append(dot(apart, apart) / 4)
    for a, b in pairs:
        apart = [x - y for x, y in zip(means[a], means[b], strict=True)]
        found += [dot(apart, apart), dot(means[a], means[b])]
    sums = torch.tensor(found, dtype=torch.float64)
    if ranks.sharded:
        ranks.sum([sums], "the report of gradients' noise")
    values = sums.tolist()
    noise = dict(zip(names, values[: len(names)], strict=True))
    report = {f"{NOISE}{name}": value for name, value in noise.items()}
    of_pairs = zip(pairs, values[len(names) :: 2], values[len(names) + 1 :: 2], strict=True)
    for (a, b), distance, product in of_pairs:
        report[f"{DISAGREEMENT}{a}~{b}"] = distance - noise[a] - noise[b]
        report[f"{AGREEMENT}{a}~{b}"] = product
    return report
