"""Checkpoints: written atomically, verified when read."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from uniapl_cli.errors import RunError, TrainingError
from uniapl_cli.folders import replacing_folder
from uniapl_cli.precision import non_finite
from uniapl_cli.reasons import explained, reason
from uniapl_cli.training.optim import Optimizer, trained
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.writer import Writer

log = logging.getLogger("uniapl")

# The version of the format; it changes when older programs could not read it.
FORMAT = 2
WEIGHTS, OPTIMIZER, STATE, MANIFEST = (
    "model.safetensors",
    "optimizer.pt",
    "state.json",
    "manifest.json",
)

Weights = Mapping[str, Tensor]


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


class Checkpoints:
    """The checkpoints of a run: `step-00000050/` and so on, of which the newest `keep` stay.

    Within the block of `writer` they may be written while the next steps run.
    """

    def __init__(self, folder: Path, keep: int, beside: bool | None = None) -> None:
        self.folder, self.keep, self.writer = folder, keep, Writer(beside)

    def save(self, step: int, state: State, *, ends: bool = False) -> None:
        """Write the state after `step`; of the weights, only those that are trained.

        Where training `ends` with it, there is no step that it could be written beside.
        Raises TrainingError, and writes nothing, if a weight is not finite, and OutputError, also
        if the one before could not be written.
        """
        refuse_non_finite(state.trained, step)
        if not state.trainable.ranks.first:
            return
        contents = {"version": FORMAT, "step": step, "streams": state.positions()}
        weights = {name: weight.detach() for name, weight in state.trained.items()}

        def write(tensors: Any, go_on: Callable[[], None]) -> None:
            self._write(step, tensors[0], tensors[1], contents, go_on)

        tensors, device = (weights, state.optimizer.state_dict()), state.trainable.device
        self.writer.write(tensors, device, write, at_once=ends)

    def _write(
        self, step: int, weights: Weights, optimizer: Any, contents: Any, go_on: Callable[[], None]
    ) -> None:
        with replacing_folder(self.folder / f"step-{step:08d}") as scratch:
            save_file({name: w.contiguous() for name, w in weights.items()}, scratch / WEIGHTS)
            go_on()
            with (scratch / OPTIMIZER).open("wb") as file:  # whose errors say what went wrong
                torch.save(optimizer, file)
            go_on()
            (scratch / STATE).write_text(json.dumps(contents))
            sums = {name: _sha256(scratch / name) for name in (WEIGHTS, OPTIMIZER, STATE)}
            (scratch / MANIFEST).write_text(json.dumps(sums, indent=1))
            go_on()
        for old in self.existing()[self.keep :]:
            shutil.rmtree(old)

    def existing(self) -> list[Path]:
        """Return the checkpoints' folders, newest first."""
        folders = [path for path in self.folder.glob("step-*") if step_of(path) is not None]
        return sorted(folders, key=lambda path: step_of(path) or 0, reverse=True)

    def resume(self, state: State) -> int:
        """Restore the newest undamaged checkpoint and return its step; 0 where there is none.

        Damaged ones are reported and renamed. Raises RunError for one of another version, and when
        all are damaged; those are not renamed, or the same command again would start from step 0.
        """
        self.writer.wait()
        damaged: list[Path] = []
        for checkpoint in self.existing():
            damage = _damage(checkpoint)
            if damage is None:
                for other in damaged:
                    _set_aside(other)
                return _load(checkpoint, state)
            log.warning("checkpoint %s is damaged (%s): using the one before", checkpoint, damage)
            damaged.append(checkpoint)
        if damaged:
            raise RunError(
                f"every checkpoint in '{self.folder}' is damaged",
                "Delete the folder to start anew",
                got=[path.name for path in damaged],
            )
        return 0


def step_of(checkpoint: Path) -> int | None:
    """Return the step in a checkpoint's name; None if the name is no checkpoint's."""
    digits = checkpoint.name.removeprefix("step-")
    return int(digits) if digits.isdecimal() else None


def refuse_non_finite(weights: Mapping[str, Tensor], step: int) -> None:
    """Raise TrainingError if a trained weight is NaN or infinite after a step."""
    wrong = non_finite(weights.items())
    if wrong is not None:
        raise TrainingError(
            f"after step {step} the weights hold {wrong[1]}, in '{wrong[0]}'",
            "Lower optim.lr; the newest checkpoint is from before it",
            got=wrong[0],
        )


def _load(checkpoint: Path, state: State) -> int:
    problem = f"checkpoint '{checkpoint}' cannot be read"
    advice = "Delete it: the command then goes on from the one before"
    with explained(problem, got=checkpoint.name, error=RunError, advice=advice):
        return _load_parts(checkpoint, state)


def _load_parts(checkpoint: Path, state: State) -> int:
    contents = json.loads((checkpoint / STATE).read_text())
    _check_version(checkpoint, contents.get("version"))
    _load_weights(checkpoint, state.trained)
    device = state.trainable.device
    saved = torch.load(checkpoint / OPTIMIZER, weights_only=True, map_location=device)
    state.optimizer.load_state_dict(saved)
    state.move(contents["streams"])
    return int(contents["step"])


def _check_version(checkpoint: Path, version: object) -> None:
    if version != FORMAT:
        raise RunError(
            f"checkpoint '{checkpoint}' was written by another version of uniapl",
            "Finish the run with that version, or set another run.dir",
            got=version,
            allowed=[str(FORMAT)],
        )


def _load_weights(checkpoint: Path, own: Mapping[str, Tensor]) -> None:
    saved = load_file(checkpoint / WEIGHTS)
    differing = sorted(saved.keys() ^ own.keys())
    if differing:
        raise RunError(
            f"checkpoint '{checkpoint}' is of another model: '{differing[0]}' is only in one of "
            "the two",
            "Set another run.dir, or delete the folder to start anew",
            got=differing[0],
        )
    for name, value in saved.items():
        if value.shape != own[name].shape:  # a smaller one would be broadcast
            shapes = f"{tuple(value.shape)}, not {tuple(own[name].shape)}"
            raise ValueError(f"{name} is {shapes} as in the model")
        own[name].detach().copy_(value)


def _set_aside(checkpoint: Path) -> None:
    aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
    shutil.rmtree(aside, ignore_errors=True)
    checkpoint.rename(aside)


def _damage(checkpoint: Path) -> str | None:
    try:
        sums = json.loads((checkpoint / MANIFEST).read_text())
        files = (WEIGHTS, OPTIMIZER, STATE)
        wrong = [name for name in files if _sha256(checkpoint / name) != sums[name]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        return reason(error)
    return f"{', '.join(wrong)} changed since it was written" if wrong else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
