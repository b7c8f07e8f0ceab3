"""The processes that train one model: what each has to know of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from uniapl_cli.errors import UniAPLError
from uniapl_cli.ranks.options import ParallelOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from uniapl_cli.runs.signals import StopRequest

T = TypeVar("T")


class Ranks:
    """One process that trains by itself; `Together` is one of several.

    Every rank holds the whole batch of a step and makes the same decisions from it; it samples,
    scores and trains on its share, and the shares are put together again. So nothing but what is
    named here depends on how many there are.

    rank: its number, from 0. world: how many there are; local_rank and local_world count those of
    this machine. sharded: whether each holds a part of the trained weights only. timeout: seconds
    after which one that does not come is given up. step: the steps done so far, for messages.
    agreed: how often all have been stopped together.
    """

    rank = local_rank = 0
    world = local_world = 1
    sharded = False
    timeout = 1800.0
    step = agreed = 0

    @property
    def first(self) -> bool:
        """Whether this is the one that writes the run's directory, and talks."""
        return self.rank == 0

    def configure(
        self, device: str, options: ParallelOptions, *, sharded: bool, exact: bool
    ) -> None:
        """Make what weights and gradients go through, on this rank's device.

        sharded: whether weights are to be. exact: whether their gradients are added up in float64.
        """

    def keep_log(self, folder: Path) -> None:
        """Keep in a folder what each rank has to say: only the first one talks."""

    def share(self, items: Sequence[T]) -> list[T]:
        """Return this rank's items: every `world`-th."""
        return list(items[self.rank :: self.world])

    def shared(self, parts: Sequence[Sequence[T]]) -> list[T]:
        """Return the items, in order, of which `parts` are all ranks' shares."""
        whole: list[T] = [part for rank in parts for part in rank]
        for rank, part in enumerate(parts):
            whole[rank :: self.world] = part
        return whole

    def deal(self, parts: Sequence[T], size: Callable[[T], int]) -> list[T]:
        """Return this rank's parts of a step: as many as every other's, or one fewer; even sizes.

        From the largest on, they go round and back: 0 1 2 2 1 0 0 1 2 ...
        """
        order = sorted(range(len(parts)), key=lambda index: -size(parts[index]))
        turns = (divmod(place, self.world) for place in range(len(order)))
        owners = [self.world - 1 - at if turn % 2 else at for turn, at in turns]
        mine = [index for index, owner in zip(order, owners, strict=True) if owner == self.rank]
        return [parts[index] for index in sorted(mine)]

    def gather(self, part: T, doing: str) -> list[T]:
        """Return every rank's part, in their order, on all of them.

        doing: what this is for, for messages: each rank is at the same. Raises what another rank
        has failed with, RunError where one is gone or late, and Interrupted where one is to stop.
        """
        return [part]

    def of_first(self, make: Callable[[], T], doing: str) -> T:
        """Return, on all ranks, what the first one has made; the others do not call `make`."""
        return make()

    def stop(self, error: UniAPLError | None = None) -> None:
        """Have all ranks raise where they gather next: Interrupted, or the error that is given."""

    def breaking(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Return a block that a signal breaks off, where that leaves no other rank waiting."""
        return stop.interruptible()

    def sum(self, tensors: Sequence[Tensor], doing: str) -> None:
        """Add to each tensor, in place, the other ranks' of the same place, on all ranks alike."""

    def wrap(self, net: nn.Module, units: Sequence[nn.Module]) -> None:
        """Shard a network's weights over the ranks, if they are to be; `units` gather theirs alone.

        Each of `units` is a part of the network that is called once a forward pass.
        """

    def reducing(self, last: bool) -> AbstractContextManager[None]:
        """Return a block for one pass forward and back; `last`: whether an update follows it."""
        return nullcontext()

    def whole(self, net: nn.Module) -> AbstractContextManager[None]:
        """Return a block in which all of a network is here, and nobody waits for others."""
        return nullcontext()

    def full(self, tensor: Tensor) -> Tensor:
        """Return a weight, a gradient or an optimiser's state whole; all ranks ask for it."""
        return tensor


ALONE = Ranks()
