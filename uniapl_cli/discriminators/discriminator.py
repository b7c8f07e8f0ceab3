"""What a discriminator is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from uniapl_cli.registry import Registry
from uniapl_cli.types import Comparison


class Discriminator(Protocol):
    """Scores how close candidates are to their references."""

    def score(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one finite score a comparison, in their order; higher is closer.

        Raises UniAPLError that names the comparison's id when one cannot be scored.
        """
        ...


# (path, device, dtype of the weights, *, options) -> Discriminator
discriminators: Registry[Callable[..., Discriminator]] = Registry("discriminator")
