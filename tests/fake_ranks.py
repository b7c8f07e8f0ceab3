"""Ranks that are not there: torch's fake process group, a sharded policy, its collectives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Qwen3Config

from uniapl_cli.planning.paper import PaperPolicy
from uniapl_cli.planning.step import Pass
from uniapl_cli.precision import Precision
from uniapl_cli.ranks.sharding import shard


def shape(
    layers: int = 2, width: int = 64, vocabulary: int = 512, tied: bool = True
) -> Qwen3Config:
    """A small Qwen3's config."""
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=width // 4,
        tie_word_embeddings=tied,
    )


@contextmanager
def fake_ranks(world: int) -> Iterator[DeviceMesh]:
    """Be the first of so many ranks, whose collectives do nothing."""
    dist.init_process_group("fake", rank=0, world_size=world, store=FakeStore())
    try:
        yield init_device_mesh("cpu", (world,))
    finally:
        dist.destroy_process_group()


def sharded(model: Any, mesh: DeviceMesh, precision: Precision = "float32") -> PaperPolicy:
    """Return the model as a policy whose weights are sharded as those that are trained are."""
    policy = PaperPolicy(model, precision)
    shard(policy.net, policy.net.units, mesh)
    return policy


class Collectives(TorchDispatchMode):
    """Counts the collectives that are called, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.namespace in ("c10d", "_c10d_functional"):
            self.calls[func._schema.name.partition("::")[2]] += 1
        return func(*args, **(kwargs or {}))


def passes(policy: PaperPolicy, count: int, rows: int = 1, width: int = 4) -> None:
    """Go forward and back over so many micro-batches, all of whose tokens are learnt."""
    for _ in range(count):
        policy.read(Pass(rows, width, rows * width)).sum().backward()
