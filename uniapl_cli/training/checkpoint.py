"""Checkpoints: written atomically, verified when read."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from uniapl_cli.errors import RunError, TrainingError
from uniapl_cli.folders import replacing_folder
from uniapl_cli.precision import non_finite
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.ranks.beside import Beside
from uniapl_cli.ranks.drift import refuse_drift
from uniapl_cli.ranks.replicated import replicated
from uniapl_cli.reasons import explained
from uniapl_cli.training import plain, resharding, sharded, taught
from uniapl_cli.training.manifest import damage
from uniapl_cli.training.parts import Part, part_of
from uniapl_cli.training.state import State as State
from uniapl_cli.training.writer import Writer

log = logging.getLogger("uniapl")

STATE = plain.STATE
LOADS = {plain.VERSION: plain.load, sharded.VERSION: resharding.load}


class Checkpoints:
    """The checkpoints of a run: `step-00000050/` and so on, of which the newest `keep` stay.

    Of weights that are sharded each rank writes its part, of others the first rank all. Within the
    block of `writer` they may be written while the next steps run.
    """

    def __init__(self, folder: Path, keep: int, beside: bool | None = None) -> None:
        self.folder, self.keep, self.writer = folder, keep, Writer(beside)
        self._beside: Beside | None = None

    def save(self, step: int, state: State, *, ends: bool = False) -> None:
        """Write the state after `step`; of the weights, only those that are trained.

        All ranks call it. Where training `ends` with it, there is no step that it could be written
        beside. Raises TrainingError, and writes nothing, if a weight is not finite, RunError if
        it is not the same on all ranks that hold it, and OutputError, also if the one before could
        not be written.
        """
        ranks = state.trainable.ranks
        refuse_non_finite(state.trained, step, ranks)
        refuse_drift(ranks, state.weights, step)
        if state.learners:
            others = dict(taught.weights_of(state.learners))
            refuse_non_finite(others, step, ranks)
            refuse_drift(replicated(ranks), others, step)
        place = self.folder / f"step-{step:08d}"
        contents = {"step": step, "streams": state.positions()}
        if ranks.sharded:
            self._save_parts(place, state, contents, ends)
        elif ranks.first:
            self._save_whole(place, state, contents, ends)

    def _save_whole(self, place: Path, state: State, contents: Any, ends: bool) -> None:
        def write(tensors: Any, go_on: Callable[[], None]) -> None:
            """Write the tensors into a folder that is then renamed."""
            own, learners = tensors
            with replacing_folder(place) as scratch:
                others = taught.write(scratch, learners, go_on)
                plain.write(scratch, own, contents, go_on, others)
            self._prune()

        tensors = plain.tensors_of(state), taught.tensors_of(state.learners)
        self.writer.write(tensors, state.trainable.device, write, at_once=ends)

    def _save_parts(self, place: Path, state: State, contents: Any, ends: bool) -> None:
        ranks, parts = state.trainable.ranks, sharded.parts_of(state)
        contents = {**contents, "optimizer": sharded.groups_of(state)}
        if self._beside is None:
            self._beside = Beside(ranks)
        group = self._beside

        def write(tensors: Any, go_on: Callable[[], None]) -> None:
            """Write the tensors into a folder that is then renamed."""
            own, learners = tensors
            copies = {n: Part(own[n], p.offsets, p.size) for n, p in parts.items()}
            with sharded.filling_folder(place, group) as scratch:
                others = taught.write(scratch, learners, go_on)
                sharded.write(scratch, copies, contents, group, go_on, others)
            if group.first:
                self._prune()

        learners = taught.tensors_of(state.learners) if ranks.first else {}
        tensors = {n: p.tensor for n, p in parts.items()}, learners
        device = state.trainable.device
        self.writer.write(tensors, device, write, at_once=ends, ranks=ranks)

    def _prune(self) -> None:
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
        ranks, doing = state.trainable.ranks, "loading a checkpoint"
        name = ranks.of_first(self._newest, doing)
        step = 0 if name is None else _load(self.folder / name, state)
        ranks.gather(step, doing)  # or one that fails would be waited for in the first step
        return step

    def _newest(self) -> str | None:
        """Return the name of the newest undamaged checkpoint."""
        damaged: list[Path] = []
        for checkpoint in self.existing():
            wrong = damage(checkpoint, STATE)
            if wrong is None:
                for other in damaged:
                    _set_aside(other)
                return checkpoint.name
            log.warning("checkpoint %s is damaged (%s): using the one before", checkpoint, wrong)
            damaged.append(checkpoint)
        if damaged:
            raise RunError(
                f"every checkpoint in '{self.folder}' is damaged",
                "Delete the folder to start anew",
                got=[path.name for path in damaged],
            )
        return None


def step_of(checkpoint: Path) -> int | None:
    """Return the step in a checkpoint's name; None if the name is no checkpoint's."""
    digits = checkpoint.name.removeprefix("step-")
    return int(digits) if digits.isdecimal() else None


def refuse_non_finite(weights: Mapping[str, Tensor], step: int, ranks: Ranks = ALONE) -> None:
    """Raise TrainingError, on all ranks, if a trained weight is NaN or infinite after a step."""
    found = non_finite((name, part_of(weight).tensor) for name, weight in weights.items())
    wrong = next(filter(None, ranks.gather(found, "saving a checkpoint")), None)
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
        contents = json.loads((checkpoint / STATE).read_text())
        version = contents.get("version")
        if version not in LOADS:
            raise RunError(
                f"checkpoint '{checkpoint}' was written by another version of uniapl",
                "Finish the run with that version, or set another run.dir",
                got=version,
                allowed=[str(known) for known in LOADS],
            )
        LOADS[version](checkpoint, state, contents)
        taught.load(checkpoint, state.learners)
        state.move(contents["streams"])
        return int(contents["step"])


def _set_aside(checkpoint: Path) -> None:
    aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
    shutil.rmtree(aside, ignore_errors=True)
    checkpoint.rename(aside)
