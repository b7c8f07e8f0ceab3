"""Writes the state of training in a thread, while the next steps run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import torch

from uniapl_cli.errors import OutOfMemory
from uniapl_cli.memory import spare_bytes
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.reasons import within_memory
from uniapl_cli.training.staging import staged, tensors

log = logging.getLogger("uniapl")

# Share of the memory that the copy may take, of what the steps so far have left free.
FREE_SHARE = 0.5
ADVICE = "Set run.checkpoint_beside=false"
DOING = "writing a checkpoint"

# Takes nested tensors, and a function to call between files.
Write = Callable[[Any, Callable[[], None]], None]


class Writer:
    """Writes one state at a time, from a copy of its tensors.

    Where `beside` is None, the copy is made only if memory for it is free. Without a copy, and
    outside of the block, all is written at once.
    """

    def __init__(self, beside: bool | None) -> None:
        self.beside = beside
        self._copy: Any = None
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None
        self._ranks = ALONE  # that write together
        self._stopped = False

    def __enter__(self) -> Writer:
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for what is being written; where a signal stops the block, it is dropped instead.

        Raises what went wrong in it, unless the block has raised already.
        """
        assert self._thread is not None, "entered"
        self._stopped = kind is not None and not issubclass(kind, Exception)
        self._thread.shutdown()
        self._thread = self._copy = None
        try:
            self.wait()
        except Exception as error:
            if kind is None:
                raise
            if not self._stopped:
                log.warning("%s", error)

    def write(
        self,
        state: Any,
        device: torch.device,
        write: Write,
        *,
        at_once: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        """Write nested tensors of a device, or have them written. Raises OutOfMemory.

        ranks: those that write together, each a state of its own: all of them beside the steps, or
        none.
        """
        self.wait()
        self._ranks = ranks
        if self._thread is not None and not at_once and self._stages(state):
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            self._writing = self._thread.submit(write, self._copy, self._go_on)
        else:
            write(state, self._go_on)

    def wait(self) -> None:
        """Wait for what is being written. Raises what went wrong in it."""
        if self._writing is not None:
            wait([self._writing])
            written, self._writing = self._writing, None
            written.result()

    def check(self) -> None:
        """Raise what went wrong in writing, as far as is known by now: on all ranks at once."""
        if self._writing is not None and all(self._ranks.gather(self._writing.done(), DOING)):
            self.wait()

    def _stages(self, state: Any) -> bool:
        """Copy the state, if it is to be written beside the steps."""
        if self.beside is None and self._copy is None:
            needed = sum(t.nbytes for t in tensors(state)) * self._ranks.local_world
            all_ranks = self._ranks.gather((needed, spare_bytes()), DOING)
            needed, spare = max(all_ranks, key=lambda rank: rank[0] - FREE_SHARE * rank[1])
            if needed > FREE_SHARE * spare:
                return self._in_the_step(f"{needed / 2**30:.1f} GiB, of {spare / 2**30:.1f} spare")
        if self.beside is False:
            return False
        refused = self._copies(state)
        if all(error is None for error in self._ranks.gather(refused, DOING)):
            return True
        if self.beside and refused is not None:
            raise refused
        return self._in_the_step("it was refused")

    def _copies(self, state: Any) -> OutOfMemory | None:
        try:
            with within_memory(lambda: "in copying a checkpoint", "run.checkpoint_beside", ADVICE):
                self._copy = staged(state, self._copy)
        except OutOfMemory as error:
            return error
        return None

    def _in_the_step(self, why: str) -> bool:
        log.info("checkpoints are written between the steps: a copy would need memory (%s)", why)
        self.beside, self._copy = False, None
        return False

    def _go_on(self) -> None:
        if self._stopped:
            raise Dropped


class Dropped(Exception):
    """What was being written is not wanted any more."""
