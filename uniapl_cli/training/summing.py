"""The sum of micro-batches' gradients, over this rank's and over all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor

from uniapl_cli.ranks import ALONE
from uniapl_cli.training.policy import Trainable


class GradientSum:
    """Adds up gradients in the parameters' `.grad`; or, where they are to be exact, in float64.

    In float64 neither the order of the micro-batches nor who computes them changes a bit that
    float32 keeps, at 8 bytes a parameter and twice the traffic. scale: what each loss is multiplied
    by, for those who hold parts of the weights take means over ranks.
    """

    def __init__(self, trainable: Trainable, exact: bool) -> None:
        self.trainable, self.ranks = trainable, trainable.ranks
        self.scale = self.ranks.world if self.ranks.sharded else 1
        self.exact = exact and not self.ranks.sharded  # its own reduction is in float64
        self.totals: dict[int, Tensor] = {}

    @cached_property
    def parameters(self) -> list[Tensor]:
        """The trained weights."""
        return [p for p in self.trainable.model.parameters() if p.requires_grad]

    @contextmanager
    def of_pass(self, last: bool) -> Iterator[None]:
        """Add the gradient of the pass in the block. last: whether it is this rank's last one."""
        with self.ranks.reducing(last):
            yield
        if self.exact:
            for index, parameter in enumerate(self.parameters):
                if parameter.grad is not None:
                    self._add(index, parameter.grad.double())
                    parameter.grad = None

    def _add(self, index: int, gradient: Tensor) -> None:
        if index in self.totals:
            self.totals[index] += gradient
        else:
            self.totals[index] = gradient

    def finish(self) -> None:
        """Add the other ranks' gradients. A parameter that is used on none of them has none."""
        if self.ranks.sharded or (self.ranks is ALONE and not self.exact):
            return
        if not self.exact:
            self.totals = {i: p.grad for i, p in enumerate(self.parameters) if p.grad is not None}
        used = sorted(set().union(*self.ranks.gather(set(self.totals), "the gradients")))
        wide = torch.float64 if self.exact else None
        for index in used:
            if index not in self.totals:
                self.totals[index] = torch.zeros_like(self.parameters[index], dtype=wide)
        self.ranks.sum([self.totals[index] for index in used], "the sum of the gradients")
        for index in used:
            self.parameters[index].grad = self.totals[index].to(self.parameters[index].dtype)
        self.totals = {}

    def clear(self) -> None:
        """Forget what has been added."""
        self.totals = {}
        for parameter in self.parameters:
            parameter.grad = None
