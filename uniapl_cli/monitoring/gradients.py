"""The norms of the terms' gradients, and the cosines between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

# Elements of a dot product that are converted to float64 at a time: 128 MiB a side.
DOT_CHUNK = 2**24


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
    gradient_of: Callable[[str], list[Tensor]], names: Sequence[str]
) -> dict[str, float]:
    """Return `gradients/TERM`, the norms, and `gradients/cosine/A~B` of every two terms.

    `gradient_of(name)` computes a term's gradient, its weight included. One copy a term is kept on
    the CPU, in the gradient's own precision. Cosines with a gradient of 0 are left out.
    """
    gradients = {name: [part.detach().cpu() for part in gradient_of(name)] for name in names}
    norms = {name: math.sqrt(dot(parts, parts)) for name, parts in gradients.items()}
    report = {f"gradients/{name}": norm for name, norm in norms.items()}
    for a, b in combinations(names, 2):
        if all(norm > 0 and math.isfinite(norm) for norm in (norms[a], norms[b])):
            cosine = dot(gradients[a], gradients[b]) / (norms[a] * norms[b])
            report[f"gradients/cosine/{a}~{b}"] = max(-1.0, min(1.0, cosine))
    return report


def dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Return the inner product of two lists of tensors, summed in float64."""
    return sum(
        float(x.double() @ y.double())
        for a, b in zip(left, right, strict=True)
        for x, y in zip(a.flatten().split(DOT_CHUNK), b.flatten().split(DOT_CHUNK), strict=True)
    )
