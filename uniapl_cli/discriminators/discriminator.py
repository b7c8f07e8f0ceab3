"""What a discriminator is, the options of every kind, and the registry of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from uniapl_cli.options import MISSING, FilePath, Options, key
from uniapl_cli.precision import Precision
from uniapl_cli.registry import Registry
from uniapl_cli.types import Comparison


class Discriminator(Protocol):
    """Scores how close candidates are to their references."""

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one finite score a comparison, in their order; higher is closer.

        With `batch_invariant` each is computed by itself, which is slower: its bits do not depend
        on the others. Raises UniAPLError that names the comparison's id when one cannot be scored.
        """
        ...


class DiscriminatorOptions(Options):
    """What a config may set of every kind of discriminator."""

    path: FilePath = key(MISSING, "folder, run directory or hub name; tiny:polar")
    revision: str | None = key(None, "commit or branch on the hub")

    def make(self, path: str, device: str, precision: Precision = "auto") -> Discriminator:
        """Load the discriminator in the folder `path`. Raises ModelError."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise UniAPLError for what can be found wrong before anything is loaded or requested."""

    def look(self, path: str) -> None:
        """Read the config in the folder `path`, but no weights. Raises ModelError."""


discriminators: Registry[type[DiscriminatorOptions]] = Registry("discriminator")
