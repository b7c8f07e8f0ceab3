"""Generation by several ranks: each samples its share of the prompts, and all have all answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from uniapl_cli.generation.generator import Generator, Request
from uniapl_cli.ranks import Ranks
from uniapl_cli.types import Completion, Progress, Sampling


@dataclass(frozen=True)
class OfRanks:
    """A generator that several ranks have, over another one in each of them."""

    inner: Generator
    ranks: Ranks

    @property
    def metrics(self) -> Mapping[str, float]:
        """What `follow` measured."""
        return self.inner.metrics

    def follow(self, policy: Any) -> None:
        """Generate what this policy would, as its weights are now."""
        self.inner.follow(policy)


@dataclass(frozen=True)
class WholeWeights(OfRanks):
    """A generator in this process over weights of which each rank may hold a part.

    They are brought together for as long as it samples: whole weights beside the parts, on every
    rank, in the dtype that they are trained in.
    """

    net: nn.Module

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index, completions); all ranks call it, also those that have no requests."""
        with self.ranks.whole(self.net):
            yield from self.inner.generate(requests, sampling, progress)


@dataclass(frozen=True)
class SharedGenerator(OfRanks):
    """A generator to which all ranks bring the same requests; each samples its share of them."""

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index, completions) of all requests, when all ranks have theirs."""
        mine = self.ranks.share(range(len(requests)))
        answers = self.inner.generate([requests[index] for index in mine], sampling, progress)
        own = {mine[place]: completions for place, completions in answers}
        for part in self.ranks.gather(own, "sampling"):
            yield from part.items()
