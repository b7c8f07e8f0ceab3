"""Models without weights: their shapes compute, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from uniapl_cli.head import Head, candidates
from uniapl_cli.planning.step import Pass
from uniapl_cli.planning.tracker import Tracker
from uniapl_cli.precision import Precision
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.scorer import Scorer


@contextmanager
def on_paper(vocabulary: int) -> Iterator[Tracker]:
    """Have the block's operations give tensors without data, and their bytes counted."""
    tracker = Tracker(vocabulary)
    with FakeTensorMode(), tracker:
        yield tracker


@contextmanager
def unmoved() -> Iterator[None]:
    """Have modules stay where they are: on paper, torch refuses to move one, even to where it is.

    peft moves what it makes to its layer's device.
    """
    move = nn.Module.to
    nn.Module.to = lambda module, *_, **__: module  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        nn.Module.to = move  # type: ignore[method-assign]


class PaperHead(Head):
    """A head that is taken as config.json describes it: without weights there is none to try."""

    def __init__(self, model: Any) -> None:
        self.linear = model.get_output_embeddings()
        self.scale, self.cap = next(candidates(model.config.get_text_config()))


class PaperPolicy(Policy):
    """The policy's forward pass over a model without weights."""

    def __init__(self, model: Any, precision: Precision) -> None:
        self.model, self.precision = model, precision
        self.device = torch.device("cpu")
        self.net = Scorer(model, PaperHead(model), precision)

    def read(self, one: Pass) -> Tensor:
        """Return the (B, T) log-probabilities of a micro-batch. Call it on paper."""
        tokens = torch.zeros(one.rows, one.width + 1, dtype=torch.long)
        with _Chosen(one.learnt):
            return self.forward(TokenBatch(tokens, torch.zeros(one.rows, one.width).bool()))


class _Chosen(TorchFunctionMode):
    """Has a mask choose `count` elements: how many are True is unknown on paper."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.__getitem__ and _is_mask(args[1]):
            flat = args[0].flatten(0, args[1].dim() - 1)
            return flat.index_select(0, torch.zeros(self.count, dtype=torch.long))
        return func(*args, **(kwargs or {}))


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype is torch.bool
