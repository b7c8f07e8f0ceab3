"""The state of training: everything that the coming steps depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from uniapl_cli.training.average import Average
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.optim import Optimizer, trained
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.streams import Stream

# What the names of averages' weights begin with.
AVERAGE = "average:"


class Moving(Protocol):
    """What moves from step to step, and says where it is: as JSON, which no later step changes."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return where it is."""
        ...

    def load_state_dict(self, state: Any) -> None:
        """Go to where it was."""


@dataclass
class State:
    """Everything that the coming steps depend on, saved in one checkpoint.

    `moving`: what else moves from step to step, such as schedules that follow measurements, by
    names that no stream has. `trained`: the trained weights by name; those that share memory appear
    once. They are found at the start, since a forward pass of the reference that is broken off may
    leave an adapter frozen.
    averages: of the trained weights, by name, which follow them. learners: further ones, by name,
    with weights and optimisers of their own.
    """

    trainable: Trainable
    optimizer: Optimizer
    streams: Mapping[str, Stream[Any]]
    moving: Mapping[str, Moving] = field(default_factory=dict)
    averages: Mapping[str, Average] = field(default_factory=dict)
    learners: Mapping[str, Learner] = field(default_factory=dict)
    trained: dict[str, nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.trained = trained(self.trainable.model)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that a checkpoint has: those that are trained, and their averages."""
        averages = {
            f"{AVERAGE}{name}:{weight}": tensor
            for name, average in self.averages.items()
            for weight, tensor in average.weights.items()
        }
        return {**self.trained, **averages}

    def follow(self) -> None:
        """Move all averages towards the trained weights, after a step."""
        for average in self.averages.values():
            average.follow(self.trained)

    def positions(self) -> dict[str, Any]:
        """Return where each stream is, and what else moves."""
        return {name: one.state_dict() for name, one in self._all().items()}

    def move(self, positions: Mapping[str, Any]) -> None:
        """Put the streams, and what else moves, where they were."""
        for name, one in self._all().items():
            # A run that was to end before a term became active knew nothing of that term's stream.
            if name in positions:
                one.load_state_dict(positions[name])

    def _all(self) -> dict[str, Moving]:
        return {**self.streams, **self.moving}
