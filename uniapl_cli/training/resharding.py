"""Reads checkpoints of sharded weights: each rank its parts, by torch's distributed checkpoint.

Ranks need not ask each other, so that a process by itself reads them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadPlan
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list
from torch.optim import Optimizer as TorchOptimizer

from uniapl_cli.training.parts import Part, part_of
from uniapl_cli.training.plain import check_names, check_shapes
from uniapl_cli.training.sharded import OPTIMIZER, WEIGHT
from uniapl_cli.training.state import State

Saved = Mapping[str, TensorStorageMetadata]


def load(checkpoint: Path, state: State, contents: Any) -> None:
    """Load this rank's parts of weights and optimiser. Raises RunError for another model's."""
    reader = HuggingFaceStorageReader(str(checkpoint))
    metadata = reader.read_metadata()
    saved: Any = metadata.state_dict_metadata
    for name, tensor in saved.items():
        _check_whole(name, tensor)
    sizes = {n.removeprefix(WEIGHT): t.size for n, t in saved.items() if n.startswith(WEIGHT)}
    check_names(checkpoint, sizes, state.weights)
    check_shapes(sizes, state.weights)
    parts = {WEIGHT + name: part_of(weight) for name, weight in state.weights.items()}
    names, optimizer = {weight: name for name, weight in state.trained.items()}, {}
    pairs = zip(state.optimizer.parts, contents["optimizer"], strict=True)
    for index, ((part, _), groups) in enumerate(pairs):
        own = {names[weight]: weight for group in part.param_groups for weight in group["params"]}
        prefix = f"{OPTIMIZER}{index}."
        rooms = _rooms({n: t for n, t in saved.items() if n.startswith(prefix)}, prefix, own)
        parts |= {name: part_of(room) for name, room in rooms.items()}
        values = _values(rooms, prefix, list(own))
        optimizer[str(index)] = {"state": values, "param_groups": _groups(part, groups, names)}
    _read(reader, metadata, parts)
    state.optimizer.load_state_dict(optimizer)


def _check_whole(name: str, saved: TensorStorageMetadata) -> None:
    found = sum(chunk.sizes.numel() for chunk in saved.chunks)
    if found != saved.size.numel() or any(min(c.offsets, default=0) < 0 for c in saved.chunks):
        raise ValueError(f"parts of {name} are missing")


def _rooms(saved: Saved, prefix: str, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a tensor for each of the optimiser's: sharded as its weight is, or one number."""
    rooms = {}
    for name, tensor in saved.items():
        weight, dtype = own[name.removeprefix(prefix).rpartition(".")[0]], tensor.properties.dtype
        if tensor.size == weight.shape:
            rooms[name] = torch.zeros_like(weight.detach(), dtype=dtype)
        elif tensor.size == ():
            rooms[name] = torch.zeros((), dtype=dtype)
        else:
            raise ValueError(f"{name} is {tuple(tensor.size)}, not {tuple(weight.shape)}")
    return rooms


def _values(
    rooms: Mapping[str, Tensor], prefix: str, order: list[str]
) -> dict[int, dict[str, Tensor]]:
    """Return an optimiser's tensors by the numbers of their weights."""
    values: dict[int, dict[str, Tensor]] = {}
    for name, room in rooms.items():
        weight, _, key = name.removeprefix(prefix).rpartition(".")
        values.setdefault(order.index(weight), {})[key] = room
    return values


def _groups(
    part: TorchOptimizer, groups: Any, names: Mapping[nn.Parameter, str]
) -> list[dict[str, Any]]:
    """Return an optimiser's groups as its own state_dict has them."""
    found: list[dict[str, Any]] = []
    first = 0
    for saved, own in zip(groups, part.param_groups, strict=True):
        if saved["params"] != [names[weight] for weight in own["params"]]:
            raise ValueError("its optimiser updates other weights together")
        options = {n: tuple(v) if isinstance(own.get(n), tuple) else v for n, v in saved.items()}
        found.append({**options, "params": [*range(first, first + len(own["params"]))]})
        first += len(own["params"])
    return found


def _read(reader: HuggingFaceStorageReader, metadata: Metadata, parts: Mapping[str, Part]) -> None:
    """Read into the memory of all parts."""
    saved: Any = metadata.state_dict_metadata
    items = []
    for name, part in parts.items():
        if part.tensor.numel():
            here = ChunkStorageMetadata(part.offsets, part.tensor.shape)
            items += create_read_items_for_chunk_list(name, saved[name], [here])
    reader.set_up_storage_reader(metadata, is_coordinator=True)
    reader.read_data(LoadPlan(items), _LoadPlanner(parts)).wait()


class _LoadPlanner(DefaultLoadPlanner):
    """Knows where parts are read to."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        super().__init__()
        self.parts = parts

    def lookup_tensor(self, index: MetadataIndex) -> Tensor:
        """Return what is to be written over."""
        return self.parts[index.fqn].tensor
