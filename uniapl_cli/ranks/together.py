"""One of several processes that train a model together."""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from uniapl_cli.errors import RunError, UniAPLError
from uniapl_cli.ranks.calls import Calls
from uniapl_cli.ranks.failures import (
    Failure,
    RankFailed,
    RanksLost,
    as_error,
    failure_of,
    is_broken,
    named,
    of_rank,
)
from uniapl_cli.ranks.launch import Place
from uniapl_cli.ranks.options import ParallelOptions
from uniapl_cli.ranks.parts import Holders
from uniapl_cli.ranks.sums import sum_over
from uniapl_cli.ranks.watch import Watch
from uniapl_cli.runs.logs import RankLog
from uniapl_cli.runs.signals import Interrupted, deaf

T = TypeVar("T")

# Seconds for all ranks to start: they import the same libraries from the same disk.
JOIN = 600.0
# The group that objects go through waits no shorter than any timeout of ours.
LONGEST = timedelta(days=8)
# Seconds between two looks at whether another rank has failed, while this one waits.
POLL = 0.2


@dataclass(frozen=True)
class Part:
    """What a rank gives at a gathering. stops: instead of a part, that all are to stop."""

    doing: str
    value: Any = None
    stops: bool = False
    error: UniAPLError | None = None


class StoppedTogether(Interrupted):
    """Another rank is to stop, and so all do; every rank has heard it at the same gathering."""


class Together(Holders):
    """A rank of several. Used as a block, whose end waits for the others, or tells them why not.

    Objects are exchanged through gloo; weights and gradients by what fits the device.
    """

    def __init__(self, here: Place, ends: Callable[[Failure], None]) -> None:
        super().__init__()
        self.rank, self.world = here.rank, here.world
        self.local_rank, self.local_world = here.local_rank, here.local_world
        self.timeout, self.step, self._round = JOIN, 0, 0
        self._shared: UniAPLError | None = None  # what all ranks have raised together
        meeting = rendezvous("env://", here.rank, here.world, timeout=timedelta(seconds=JOIN))
        store, _, _ = next(meeting)
        self._meet(store)
        dist.init_process_group(
            "gloo",
            store=PrefixStore("objects", store),
            rank=self.rank,
            world_size=self.world,
            timeout=LONGEST,
        )
        self.log = RankLog(self.rank)
        logging.getLogger("uniapl").addHandler(self.log)
        self.watch = Watch(PrefixStore("uniapl", store), self.rank, self.world, ends)
        self.calls = Calls()

    def _meet(self, store: Any) -> None:
        """Wait for all ranks. Raises RunError for those that do not come."""
        store.set(f"here/{self.rank}", "")
        names = [f"here/{rank}" for rank in range(self.world)]
        try:
            store.wait(names, timedelta(seconds=JOIN))
        except RuntimeError:
            late = [rank for rank, name in enumerate(names) if not store.check([name])]
            raise RunError(
                f"{named(late)} of {self.world} did not start within {JOIN:.0f} s",
                "Start as many processes as the launcher was told",
                got=late,
            ) from None

    def configure(
        self, device: str, options: ParallelOptions, *, sharded: bool, exact: bool
    ) -> None:
        """Make the group that weights and gradients go through; see `Ranks.configure`."""
        self.timeout, self.device = options.timeout, torch.device(device)
        self.sharded, self.exact, self.offload = sharded, exact, options.offload
        self.nets = []
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            self._wait(self.calls.begin(lambda: torch.cuda.set_device(self.device)), "the start")
        backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
        self.group = dist.new_group(backend=backend, timeout=timedelta(seconds=self.timeout))

    def keep_log(self, folder: Path) -> None:
        """Keep in a folder what each rank has to say: only the first one talks."""
        self.log.open(folder)
        self.log.keep(f"rank {self.rank} of {self.world}, process {os.getpid()}, on {self.device}")

    def gather(self, part: T, doing: str) -> list[T]:
        """Return every rank's part, in their order, on all of them; see `Ranks.gather`."""
        return [one.value for one in self._exchange(Part(doing, part))]

    def of_first(self, make: Callable[[], T], doing: str) -> T:
        """Return, on all ranks, what the first one has made; the others do not call `make`."""
        return self.gather(make() if self.first else None, doing)[0]  # type: ignore[return-value]

    def stop(self, error: UniAPLError | None = None) -> None:
        """Have all ranks raise where they gather next; see `Ranks.stop`."""
        self._shared, self.agreed = error, self.agreed + 1
        self._exchange(Part("stopping", stops=True, error=error), raises=False)

    def sum(self, tensors: Sequence[Tensor], doing: str) -> None:
        """Add to each tensor, in place, the other ranks' of the same place, on all ranks alike."""
        self._wait(self.calls.begin(lambda: sum_over(self.group, tensors)), doing)

    def _exchange(self, mine: Part, *, raises: bool = True) -> list[Part]:
        """Gather all parts. A signal that comes meanwhile counts when they are here."""
        self._round += 1
        place, interrupted = f"{mine.doing} of step {self.step + 1}", None
        self.watch.at(self._round, place)
        future = self.calls.begin(lambda: self._all(mine))
        while True:
            try:
                parts = self._wait(future, mine.doing)
                break
            except Interrupted as stop:
                interrupted = stop
        if raises:
            self._raise_for(parts)
            if interrupted is not None:
                raise interrupted
        return parts

    def _raise_for(self, parts: Sequence[Part]) -> None:
        for rank, part in enumerate(parts):
            if part.error is not None:
                self._shared, self.agreed = of_rank(rank, part.error), self.agreed + 1
                raise self._shared
        if any(part.stops for part in parts):
            self.agreed += 1
            raise StoppedTogether
        places = {part.doing: rank for rank, part in reversed(list(enumerate(parts)))}
        if len(places) > 1:
            told = ", ".join(f"rank {rank} is in {doing}" for doing, rank in places.items())
            raise RunError(f"the ranks are no longer at the same place: {told}", "Please report it")

    def _all(self, mine: Part) -> list[Part]:
        parts: list[Any] = [None] * self.world
        dist.all_gather_object(parts, mine)
        return parts

    def _wait(self, future: Future[T], doing: str) -> T:
        until = time.monotonic() + self.timeout
        while True:
            try:
                return future.result(POLL)
            except TimeoutError:
                if future.done():
                    raise self.lost(doing) from None
            except RuntimeError as error:
                raise self.lost(doing, error) if is_broken(error) else error from None
            if (failure := self.watch.failure) is not None:
                raise as_error(failure)
            if time.monotonic() > until:
                raise self.late(doing)

    def lost(self, doing: str, error: BaseException | None = None) -> BaseException:
        """Return why a call to the others has failed: what one of them has told, or who is gone."""
        if (failure := self.watch.heard()) is not None:
            return as_error(failure)
        with deaf():  # to the launcher, which ends this rank for the other's sake
            gone = self.watch.silent()
            if (failure := self.watch.heard()) is not None:
                return as_error(failure)
        who = f"{named(gone)} has" if len(gone) == 1 else f"{named(gone)} have"
        problem = f"{who} ended" if gone else f"the connection to another rank broke ({error})"
        return RanksLost(
            f"{problem}, in {doing} of step {self.step + 1}",
            "Repeat the command: it goes on from the newest checkpoint",
            got=gone,
        )

    def late(self, doing: str) -> RanksLost:
        """Return the error that ranks have not come in time, with what they did last."""
        behind = self.watch.behind(self._round)
        where = "; ".join(f"rank {rank} was last at {last}" for rank, last in behind.items())
        return RanksLost(
            f"{named(list(behind))} did not come to {doing} of step {self.step + 1} within "
            f"parallel.timeout = {self.timeout:g} s ({where})",
            "Raise parallel.timeout if that takes longer; the same command goes on from the newest "
            "checkpoint",
            got=list(behind),
        )

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Wait for the others, so that none leaves while another talks to it; or tell them why not.

        Raises what ended another rank in place of what that did to this one.
        """
        stopped = self.agreed and not isinstance(error, Exception)
        if error is None or error is self._shared or stopped:
            self.gather(None, "the end")
            self.watch.end()
            self.calls.end()
            self.group = None
            dist.destroy_process_group()
            return
        with deaf():
            cause = self._cause(error)
            self.log.keep("".join(traceback.format_exception(error)).rstrip())
            self.watch.fail(failure_of(cause, self.rank, self.log.path))
        if cause is not error:
            raise cause from None

    def _cause(self, error: BaseException) -> BaseException:
        """Return what ended this rank: another's failure, where it may be due to that."""
        if isinstance(error, (RanksLost, RankFailed)):
            return error
        failure = self.watch.heard()
        if failure is not None and not failure.stopped:
            same = failure.message.endswith(f": {error}")  # all have failed for the same reason
            return error if same else as_error(failure)
        if is_broken(error):  # of a group that weights or gradients went through
            return self.lost("a pass over the model", error)
        return error
