"""Checkpoints of whole weights: one process's, or those of ranks that hold all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer as TorchOptimizer

from uniapl_cli.errors import RunError
from uniapl_cli.training.manifest import sums_of, write_manifest
from uniapl_cli.training.parts import part_of
from uniapl_cli.training.state import State

# The version of the format; it changes when older programs could not read it.
VERSION = 2
WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.pt", "state.json"


def tensors_of(state: State) -> tuple[dict[str, Tensor], Any]:
    """Return what `write` takes: the trained weights, and the optimiser's state."""
    weights = {name: weight.detach() for name, weight in state.weights.items()}
    return weights, state.optimizer.state_dict()


def write(
    scratch: Path,
    tensors: Any,
    contents: Any,
    go_on: Callable[[], None],
    others: Sequence[str] = (),
) -> None:
    """Write a checkpoint's files; `go_on` is called between them. others: those that are there."""
    weights, optimizer = tensors
    save_file({name: w.contiguous() for name, w in weights.items()}, scratch / WEIGHTS)
    go_on()
    with (scratch / OPTIMIZER).open("wb") as file:  # whose errors say what went wrong
        torch.save(optimizer, file)
    go_on()
    (scratch / STATE).write_text(json.dumps({"version": VERSION, **contents}))
    write_manifest(scratch, sums_of(scratch, (WEIGHTS, OPTIMIZER, STATE, *others)))
    go_on()


def load(checkpoint: Path, state: State, contents: Any) -> None:
    """Load weights and optimiser, of sharded ones this rank's parts. Raises RunError."""
    _load_weights(checkpoint, state.weights)
    sharded = state.trainable.ranks.sharded
    device = torch.device("cpu") if sharded else state.trainable.device
    saved = torch.load(checkpoint / OPTIMIZER, weights_only=True, map_location=device, mmap=sharded)
    if sharded:
        for index, (part, _) in enumerate(state.optimizer.parts):
            _shard(saved[str(index)], part)
    state.optimizer.load_state_dict(saved)


def _load_weights(checkpoint: Path, own: Mapping[str, Tensor]) -> None:
    with safe_open(checkpoint / WEIGHTS, framework="pt") as saved:
        check_names(checkpoint, saved.keys(), own)
        slices = {name: saved.get_slice(name) for name in own}
        check_shapes({name: tuple(part.get_shape()) for name, part in slices.items()}, own)
        for name, weight in own.items():
            part = part_of(weight)
            part.tensor.copy_(slices[name][part.place])


def check_names(checkpoint: Path, saved: Any, own: Mapping[str, Tensor]) -> None:
    """Raise RunError if a checkpoint has other weights than the model."""
    differing = sorted(set(saved) ^ own.keys())
    if differing:
        raise RunError(
            f"checkpoint '{checkpoint}' is of another model: '{differing[0]}' is only in one of "
            "the two",
            "Set another run.dir, or delete the folder to start anew",
            got=differing[0],
        )


def check_shapes(saved: Mapping[str, tuple[int, ...]], own: Mapping[str, Tensor]) -> None:
    """Raise ValueError if weights have other shapes than the model's."""
    for name, weight in own.items():
        if saved[name] != tuple(weight.shape):  # a smaller one would be broadcast
            shapes = f"{saved[name]}, not {tuple(weight.shape)}"
            raise ValueError(f"{name} is {shapes} as in the model")


def _shard(saved: Any, part: TorchOptimizer) -> None:
    """Put this rank's parts in place of an optimiser's whole tensors."""
    weights = [weight for group in part.param_groups for weight in group["params"]]
    for index, values in saved["state"].items():
        weight = weights[index]
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.dim():
                own = torch.zeros_like(weight.detach())
                here = part_of(own)
                here.tensor.copy_(value[here.place])
                values[name] = own
