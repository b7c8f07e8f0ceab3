"""The norms of the terms' gradients, and the cosines between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from itertools import combinations, combinations_with_replacement

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from uniapl_cli.ranks import ALONE, Ranks

# Elements of a dot product that are converted to float64 at a time: 128 MiB a side.
DOT_CHUNK = 2**24
NORM, COSINE = "gradients/", "cosine/"


def term_gradients(
    parameters: Sequence[Tensor], add_gradients: Callable[[str], object]
) -> Callable[[str], list[Tensor]]:
    """Return a function from a term's name to its gradient at each of the parameters.

    `add_gradients(name)` adds that term's weighted gradient to the parameters. Afterwards their
    `.grad` and torch's random state are what they were before.
    """
    devices = sorted({p.device.index or 0 for p in parameters if p.is_cuda})

    def gradient_of(name: str) -> list[Tensor]:
        """Return the gradient of one term alone."""
        before = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        try:
            with torch.random.fork_rng(devices):
                add_gradients(name)
            return [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        finally:
            for parameter, grad in zip(parameters, before, strict=True):
                parameter.grad = grad

    return gradient_of


def gradient_report(
    gradient_of: Callable[[str], list[Tensor]], names: Sequence[str], ranks: Ranks = ALONE
) -> dict[str, float]:
    """Return `gradients/TERM`, the norms, and `gradients/cosine/A~B` of every two terms.

    `gradient_of(name)` computes a term's gradient, its weight included. One copy a term is kept on
    the CPU, in the gradient's own precision; where ranks hold parts, of this one's part. Cosines
    with a gradient of 0 are left out.
    """
    gradients = {name: [part.cpu() for part in map(own_part, gradient_of(name))] for name in names}
    pairs = list(combinations_with_replacement(names, 2))
    found = torch.tensor([dot(gradients[a], gradients[b]) for a, b in pairs], dtype=torch.float64)
    if ranks.sharded:
        ranks.sum([found], "the report of gradients")
    products = dict(zip(pairs, found.tolist(), strict=True))
    norms = {name: math.sqrt(products[name, name]) for name in names}
    report = {f"{NORM}{name}": norm for name, norm in norms.items()}
    for a, b in combinations(names, 2):
        if all(norm > 0 and math.isfinite(norm) for norm in (norms[a], norms[b])):
            cosine = products[a, b] / (norms[a] * norms[b])
            report[f"{NORM}{COSINE}{a}~{b}"] = max(-1.0, min(1.0, cosine))
    return report


def measured_terms(metrics: Collection[str]) -> set[str]:
    """Return the terms whose gradients these metrics are of, as `gradient_report` calls them."""
    names = {name.removeprefix(NORM) for name in metrics if name.startswith(NORM)}
    pairs = {name for name in names if name.startswith(COSINE)}
    both = {term for pair in pairs for term in pair.removeprefix(COSINE).split("~")}
    return names - pairs | both


def own_part(tensor: Tensor) -> Tensor:
    """Return this rank's part of a tensor, or the tensor where each rank has all of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor.detach()


def dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Return the inner product of two lists of tensors, summed in float64."""
    return sum(
        float(x.double() @ y.double())
        for a, b in zip(left, right, strict=True)
        for x, y in zip(a.flatten().split(DOT_CHUNK), b.flatten().split(DOT_CHUNK), strict=True)
    )
