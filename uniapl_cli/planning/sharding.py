"""Full sharding on paper: what a card holds of the weights and gradients as a step goes on.

It is torch's fully_shard of a policy's units, and of the rest as the root, in which they are. A
unit is gathered into one buffer and copied out of it to its weights. In the forward pass its buffer
stays until the next one's weights are there; in the backward pass the next unit's is there already.
Gradients are copied into one buffer, which stays until the next unit's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from uniapl_cli.planning.setup import GATHERED, GRADIENTS, SUMMED
from uniapl_cli.planning.tracker import Tracker
from uniapl_cli.planning.world import World
from uniapl_cli.ranks.sharding import units_apart
from uniapl_cli.training.scorer import Scorer

# What is gathered into, and all weights at once.
BUFFER, WHOLE = "buffer", "whole"


class Unit:
    """Weights that are gathered together, and the bytes of all and of those that are trained."""

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self.size = sum(weight.nbytes for weight in weights)
        self.trained = [weight for weight in weights if weight.requires_grad]
        self.slopes = sum(weight.nbytes for weight in self.trained)


def units(net: Scorer) -> tuple[list[nn.Module], list[Unit]]:
    """Return the modules that are gathered, and their weights: the whole is the root, in front."""
    apart = units_apart(net, net.units)
    inside = {id(weight) for module in apart for weight in module.parameters()}
    rest = [weight for weight in net.parameters() if id(weight) not in inside]
    return [net, *apart], [Unit(rest), *(Unit(list(module.parameters())) for module in apart)]


class Sharding:
    """Counts what a card holds beyond its part, while the model is called.

    The part itself is counted by whoever makes one of these.
    """

    def __init__(self, tracker: Tracker, world: World, net: Scorer) -> None:
        self.tracker, self.world = tracker, world
        modules, self.units = units(net)
        self._sizes: Counter[tuple[str, Any]] = Counter()
        self._waiting: Counter[int] = Counter()
        self._active = False
        for place, module in enumerate(modules):
            module.register_forward_pre_hook(partial(self._before, place))
            module.register_forward_hook(partial(self._after, place))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All weights are whole in the block."""
        self._hold(GATHERED, WHOLE, sum(unit.size for unit in self.units))
        yield
        self._hold(GATHERED, WHOLE, 0)

    @contextmanager
    def passing(self, *, several: bool = False) -> Iterator[None]:
        """A pass is made in the block. several: other passes have left gradients."""
        self._active = True
        if several:
            for place, unit in enumerate(self.units):
                self._hold(GRADIENTS, place, self.world.kept(unit.slopes))
        yield
        for what in (BUFFER, *range(len(self.units))):
            self._hold(GATHERED, what, 0)
        if self.units[0].trained:
            self._sum(0)
        self._hold(SUMMED, BUFFER, 0)
        self._active = False

    def watch(self) -> None:
        """Take each unit's gradients away as soon as they are complete."""
        for place, unit in enumerate(self.units[1:], 1):
            for weight in unit.trained:
                weight.register_post_accumulate_grad_hook(partial(self._learnt, place))

    def _hold(self, part: str, what: Any, size: int) -> None:
        self.tracker.hold(part, size - self._sizes[part, what])
        self._sizes[part, what] = size

    def _before(self, place: int, *_: Any) -> None:
        if self._active:
            size, last = self.units[place].size, self._sizes[GATHERED, BUFFER]
            self._hold(GATHERED, BUFFER, last + size)
            self._hold(GATHERED, place, size)
            self._hold(GATHERED, BUFFER, size)

    def _after(self, place: int, _layer: Any, _inputs: Any, output: Any) -> None:
        if not self._active:
            return
        self._hold(GATHERED, place, 0)
        if place == 0:
            self._hold(GATHERED, BUFFER, 0)
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and leaf.requires_grad:
                leaf.register_hook(partial(self._before_backward, place))
                break

    def _before_backward(self, place: int, _slope: Tensor) -> None:
        later = range(place + 1, len(self.units)) if place else ()
        for other in later:  # that has nothing to learn
            self._hold(GATHERED, other, 0)
        self._hold(GATHERED, place, self.units[place].size)
        self._hold(GATHERED, BUFFER, self.units[place - 1].size if place != 1 else 0)
        self._waiting[place] = len(self.units[place].trained)

    def _learnt(self, place: int, _weight: Tensor) -> None:
        self._waiting[place] -= 1
        if self._waiting[place] == 0:
            self._hold(GATHERED, place, 0)
            self._sum(place)

    def _sum(self, place: int) -> None:
        """Have the gradients of a unit copied, and keep a part of their sum."""
        unit = self.units[place]
        self._hold(SUMMED, BUFFER, unit.slopes)
        for weight in unit.trained:
            weight.grad = None
        self._hold(GRADIENTS, place, self.world.kept(unit.slopes))
