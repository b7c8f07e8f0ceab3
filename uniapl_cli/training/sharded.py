"""Checkpoints of sharded weights: each rank writes its parts, by torch's distributed checkpoint.

They are kept in safetensors, so that nothing is unpickled when they are read; all else is JSON.
Any number of ranks reads what any other number has written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    MetadataIndex,
    TensorProperties,
)
from torch.distributed.checkpoint.planner import (
    SavePlan,
    SavePlanner,
    TensorWriteData,
    WriteItem,
    WriteItemType,
)
from torch.distributed.checkpoint.state_dict_saver import save

from uniapl_cli.errors import TrainingError
from uniapl_cli.folders import failed_write, replacing_folder, scratch_of
from uniapl_cli.outputs import cannot_write
from uniapl_cli.ranks.beside import Beside
from uniapl_cli.training.manifest import sums_of, write_manifest
from uniapl_cli.training.parts import Part, part_of
from uniapl_cli.training.state import State

VERSION = 3
STATE = "state.json"
WEIGHT, OPTIMIZER = "model.", "optimizer."
# A rank puts a file together in memory before it writes it.
FILE_BYTES = 2**30


def parts_of(state: State) -> dict[str, Part]:
    """Return what is here of the trained weights and of the optimiser's tensors, by their names.

    Those are `model.NAME`, `optimizer.INDEX.NAME.exp_avg` and so on. Raises TrainingError for an
    optimiser whose tensors are not shaped as its weights.
    """
    parts = {WEIGHT + name: part_of(weight) for name, weight in state.weights.items()}
    names = {weight: name for name, weight in state.trained.items()}
    for index, (part, _) in enumerate(state.optimizer.parts):
        state_of: Mapping[Any, Mapping[str, Any]] = part.state
        for weight, values in state_of.items():
            for name, value in values.items():
                # What is one number, such as `step`, is the same on all ranks.
                if not isinstance(value, Tensor) or value.shape not in (weight.shape, ()):
                    raise TrainingError(
                        f"'{name}' of the optimiser's state cannot be saved in parts",
                        "Set optim.kind=adamw, or parallel.shard=none",
                        got=name,
                    )
                parts[f"{OPTIMIZER}{index}.{names[weight]}.{name}"] = part_of(value)
    return parts


def groups_of(state: State) -> list[list[dict[str, Any]]]:
    """Return the options of the groups of each part of the optimiser, with its weights' names."""
    names = {weight: name for name, weight in state.trained.items()}
    return [
        [{**group, "params": [names[w] for w in group["params"]]} for group in part.param_groups]
        for part, _ in state.optimizer.parts
    ]


@contextmanager
def filling_folder(folder: Path, group: Beside) -> Iterator[Path]:
    """Give, on all ranks, one new folder to fill: the first one's `replacing_folder`."""
    with group.told():
        if group.first:
            with replacing_folder(folder) as scratch:
                group.gather(None)  # it is there
                yield scratch
        else:
            group.gather(None)
            try:
                yield scratch_of(folder)
            except Exception as error:
                reason = failed_write(error)
                if reason is None:
                    raise
                raise cannot_write(folder, reason) from None
    group.gather(None)  # it is in its place


def write(
    scratch: Path,
    parts: Mapping[str, Part],
    contents: Any,
    group: Beside,
    go_on: Callable[[], None],
    others: Sequence[str] = (),
) -> None:
    """Write this rank's files of a checkpoint; `go_on` is called between them.

    others: those that the first rank has written.
    """
    files = _file_numbers(parts, group.world)
    writer = _Writer(scratch, files)
    planner = _SavePlanner(flatten_state_dict=False, flatten_sharded_tensors=False)
    try:
        with group.reached():
            save(dict(parts), storage_writer=writer, planner=planner, process_group=group.group)
    except CheckpointException as failed:  # on all ranks, with the same errors
        error, _ = next(iter(failed.failures.values()))
        raise error from None
    go_on()
    sums: dict[str, str] = {}
    for theirs in group.gather(sums_of(scratch, writer.files)):
        sums |= theirs
    if group.first:
        (scratch / STATE).write_text(json.dumps({"version": VERSION, **contents}))
        write_manifest(scratch, sums | sums_of(scratch, [STATE, *others]))
    group.gather(None)
    go_on()


def _file_numbers(parts: Mapping[str, Part], world: int) -> dict[str, int]:
    """Return for each tensor in which of a rank's files it is, from 1."""
    numbers, filled = {}, 0
    for name, part in parts.items():
        numbers[name] = filled // FILE_BYTES + 1
        filled += part.size.numel() * part.tensor.itemsize // world
    return numbers


class _Writer(HuggingFaceStorageWriter):
    """Knows which files this rank has written."""

    files: tuple[str, ...] = ()

    def __init__(self, folder: Path, files: dict[str, int]) -> None:
        super().__init__(str(folder), files, save_distributed=True)
        self.per_thread_copy_ahead = 0  # or a thread would ask for streams: of the first GPU

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Any:
        """Write this rank's files."""
        written = super().write_data(plan, planner)
        self.files = tuple({str(part.storage_data.relative_path) for part in written.value()})
        return written


class _SavePlanner(DefaultSavePlanner):
    """Saves parts. Of those that several ranks have, torch picks one."""

    def create_local_plan(self) -> SavePlan:
        """Return what this rank could write."""
        parts = self.state_dict.items()
        self.plan = SavePlan([_item(name, part) for name, part in parts if part.tensor.numel()])
        return self.plan

    def lookup_object(self, index: MetadataIndex) -> Tensor:
        """Return a tensor to write."""
        tensor: Tensor = self.state_dict[index.fqn].tensor
        return tensor.contiguous()


def _item(name: str, part: Part) -> WriteItem:
    chunk = ChunkStorageMetadata(part.offsets, part.tensor.shape)
    data = TensorWriteData(chunk, TensorProperties(dtype=part.tensor.dtype), part.size)
    return WriteItem(MetadataIndex(name, part.offsets), WriteItemType.SHARD, tensor_data=data)
