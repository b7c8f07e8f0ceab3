"""The state of training: everything that the coming steps depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from uniapl_cli.training.optim import Optimizer, trained
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.streams import Stream


@dataclass
class State:
    """Everything that the coming steps depend on, saved in one checkpoint.

    `trained`: the trained weights by name; those that share memory appear once. They are found at
    the start, since a forward pass of the reference that is broken off may leave an adapter frozen.
    """

    trainable: Trainable
    optimizer: Optimizer
    streams: Mapping[str, Stream[Any]]
    trained: dict[str, nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.trained = trained(self.trainable.model)

    def positions(self) -> dict[str, dict[str, int]]:
        """Return where each stream is."""
        return {name: stream.state_dict() for name, stream in self.streams.items()}

    def move(self, positions: Mapping[str, dict[str, int]]) -> None:
        """Put the streams where they were."""
        for name, stream in self.streams.items():
            # A run that was to end before a term became active knew nothing of that term's stream.
            if name in positions:
                stream.load_state_dict(positions[name])
