"""Ranks that are not there: torch's fake process group, a sharded model, its collectives counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Qwen3Config

from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.training.activations import outermost
from uniapl_cli.training.logps import token_logps


def shape(layers: int = 2, width: int = 64, vocabulary: int = 512, tied: bool = True) -> Qwen3Config:
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


class Net(nn.Module):
    """A model with its head in one call, so that its root is gathered for both."""

    def __init__(self, model: Any, precision: Precision) -> None:
        super().__init__()
        self.model, self.precision = model, precision

    def forward(self, tokens: Tensor, count: int) -> Tensor:
        """Return the log-probabilities of the first `count` tokens. tokens: (B, T+1)."""
        with forward_pass(self.precision, "cpu"):
            hidden = self.model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
            targets = tokens[:, 1:].flatten()[:count]
            head = self.model.lm_head.weight
            return token_logps(hidden.flatten(0, 1)[:count], head, targets)


def sharded(model: Any, mesh: DeviceMesh, precision: Precision = "float32") -> Net:
    """Return the model with a unit for each layer, and the rest as the root."""
    net = Net(model, precision)
    for layer in outermost(model.get_decoder()):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


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


def passes(net: Net, count: int, rows: int = 1, width: int = 4) -> None:
    """Go forward and back over so many micro-batches."""
    for _ in range(count):
        tokens = torch.zeros(rows, width + 1, dtype=torch.long)
        net(tokens, rows * width).sum().backward()
