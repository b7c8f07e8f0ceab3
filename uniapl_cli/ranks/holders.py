"""Weights of which each rank may hold a part, and the group that they go through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from uniapl_cli.ranks import sharding
from uniapl_cli.ranks.ranks import Ranks


class Holders(Ranks):
    """Ranks that hold weights together. group: through which they are brought together.

    exact: whether gradients are added up in float64. offload: whether parts that are not in use are
    in the host's memory. nets: those that are sharded.
    """

    def __init__(self) -> None:
        self.group: Any = None
        self.device = torch.device("cpu")
        self.exact = self.offload = False
        self.nets: list[nn.Module] = []

    def wrap(self, net: nn.Module, units: Sequence[nn.Module]) -> None:
        """Shard a network's weights over the ranks, if they are to be; see `Ranks.wrap`."""
        if not self.sharded:
            return
        mesh = DeviceMesh.from_group(self.group, self.device.type)
        sharding.shard(net, units, mesh, offload=self.offload, exact=self.exact)
        self.nets.append(net)

    @contextmanager
    def reducing(self, last: bool) -> Iterator[None]:
        """Return a block for one pass forward and back; `last`: whether an update follows it."""
        if self.exact:
            for net in self.nets:
                sharding.syncing(net, last)
        yield

    def whole(self, net: nn.Module) -> AbstractContextManager[None]:
        """Return a block in which all of a network is here, and nobody waits for others."""
        return sharding.whole(net)

    def full(self, tensor: Tensor) -> Tensor:
        """Return a weight, a gradient or an optimiser's state whole; all ranks ask for it."""
        return sharding.full(tensor)
