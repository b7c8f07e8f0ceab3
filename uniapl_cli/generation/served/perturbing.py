"""Weights that are other ones for a while, and then the same again, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.generation.served.fingerprint import local, trace

# Bits of the mantissa, and integers of the same size, by dtype.
MANTISSA = {
    torch.float32: (23, torch.int32),
    torch.float16: (10, torch.int16),
    torch.bfloat16: (7, torch.int16),
}
# The standard deviation of what weights are meanwhile that are all zero, as those of a new adapter.
FROM_ZERO = 0.02
# Elements that are changed at a time.
PART = 2**22


@contextmanager
def perturbed(model: Any, halvings: int = 4) -> Iterator[None]:
    """Change half of the elements of each parameter in the block, up or down.

    By 2^-halvings at most, and half of that at least: by 3 to 6 % for 4 halvings. A bit of the
    mantissa is flipped, and flipped again at the end: no copy is needed. Parts that are all zero
    are noise meanwhile. At whatever instruction the block is broken off, all weights are restored.
    """
    parts = [part for p in model.parameters() if p.dtype in MANTISSA for part in _parts(local(p))]
    before = [trace(part) for part in parts]
    zero = [not _bits(part).any() for part in parts]
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(PART, generator=rng).to(parts[0].device if parts else "cpu")
    try:
        for part, of_zeros in zip(parts, zero, strict=True):
            if of_zeros:
                part.copy_(noise[: len(part)] * FROM_ZERO)
            else:
                _flip(part, noise, halvings)
        yield
    finally:
        # A signal may have come before or after any flip: the bits tell.
        for part, bits, of_zeros in zip(parts, before, zero, strict=True):
            if of_zeros:
                part.zero_()
            elif trace(part) != bits:
                _flip(part, noise, halvings)


def _parts(weights: Tensor) -> tuple[Tensor, ...]:
    """Return views of the elements of a parameter; none where they do not lie side by side."""
    return weights.view(-1).split(PART) if weights.is_contiguous() else ()


def _bits(part: Tensor) -> Tensor:
    return part.view(MANTISSA[part.dtype][1])


def _flip(part: Tensor, noise: Tensor, halvings: int) -> None:
    """Flip a bit of the mantissa of those elements for which the noise is above 0."""
    mantissa, integers = MANTISSA[part.dtype]
    chosen = (noise[: len(part)] > 0).to(part.device, integers) << (mantissa - halvings)
    _bits(part).bitwise_xor_(chosen)
