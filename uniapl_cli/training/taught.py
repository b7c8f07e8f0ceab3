"""What checkpoints hold of further learners: whole weights, beside either format of the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.training.learner import Learner
from uniapl_cli.training.plain import check_names, check_shapes

Learners = Mapping[str, Learner]
WEIGHTS, OPTIMIZER = "weights", "optimizer"


def file_of(name: str) -> str:
    """Return the name of a learner's file; of safetensors are those of the policy alone."""
    return f"learner-{name}.pt"


def tensors_of(learners: Learners) -> dict[str, Any]:
    """Return what `write` takes: of each its trained weights, and its optimiser's state."""
    return {
        name: {
            WEIGHTS: {own: weight.detach() for own, weight in one.trained.items()},
            OPTIMIZER: one.optimizer.state_dict(),
        }
        for name, one in learners.items()
    }


def write(scratch: Path, tensors: Mapping[str, Any], go_on: Callable[[], None]) -> list[str]:
    """Write the learners' files and return their names; `go_on` is called between them."""
    for name, own in tensors.items():
        with (scratch / file_of(name)).open("wb") as file:  # whose errors say what went wrong
            torch.save(own, file)
        go_on()
    return [file_of(name) for name in tensors]


@torch.no_grad()
def load(checkpoint: Path, learners: Learners) -> None:
    """Load each learner's weights and optimiser. Raises RunError for another model's."""
    for name, one in learners.items():
        device = one.trainable.device
        saved = torch.load(checkpoint / file_of(name), weights_only=True, map_location=device)
        weights: dict[str, Tensor] = saved[WEIGHTS]
        check_names(checkpoint, weights, one.trained)
        check_shapes({own: tuple(weight.shape) for own, weight in weights.items()}, one.trained)
        for own, weight in one.trained.items():
            weight.copy_(weights[own])
        one.optimizer.load_state_dict(saved[OPTIMIZER])


def weights_of(learners: Learners) -> Iterator[tuple[str, Tensor]]:
    """Yield the learners' trained weights, by names that no weight of the policy has."""
    for name, one in learners.items():
        yield from ((f"learners.{name}.{own}", weight) for own, weight in one.trained.items())
