"""One of several processes that train a model together."""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore  # type: ignore[attr-defined]

from uniapl_cli.errors import RunError, UniAPLError
from uniapl_cli.ranks.calls import Calls
from uniapl_cli.ranks.failures import (
    as_error,
    failure_of,
    is_broken,
    of_rank,
)
from uniapl_cli.ranks.holders import Holders
from uniapl_cli.ranks.inquest import Inquest
from uniapl_cli.ranks.launch import Place
from uniapl_cli.ranks.meeting import make_group, meet
from uniapl_cli.ranks.options import ParallelOptions
from uniapl_cli.ranks.part import AROUND, Part, StoppedTogether
from uniapl_cli.ranks.sums import sum_over
from uniapl_cli.ranks.watch import Watch
from uniapl_cli.runs.console import be_quiet, messages
from uniapl_cli.runs.logs import RankLog
from uniapl_cli.runs.signals import Interrupted, StoppedAtOnce, StopRequest, deaf, stay_deaf

T = TypeVar("T")

# Seconds between two looks at whether another rank has failed, while this one waits.
POLL = 0.2


class Together(Holders):
    """A rank of several. Used as a block, whose end waits for the others, or tells them why not.

    Objects are exchanged through gloo; weights and gradients by what fits the device.
    """

    def __init__(
        self, here: Place, said: Callable[[BaseException], str | None], ends: Callable[..., None]
    ) -> None:
        super().__init__()
        self.rank, self.world = here.rank, here.world
        self.local_rank, self.local_world = here.local_rank, here.local_world
        self.timeout, self.step = ParallelOptions().timeout, 0
        # How often this rank has met the others, and for what.
        self._round, self._last = 0, "the start"
        self.said = said
        self._stop: StopRequest | None = None  # that counts where all gather
        self._shared: UniAPLError | None = None  # what all ranks have raised together
        self.calls = Calls()
        store = meet(here, self.calls)
        self.log = RankLog(self.rank)
        logging.getLogger("uniapl").addHandler(self.log)
        watched = PrefixStore("watch", store.clone())
        self.watch = Watch(watched, self.rank, self.world, ends, self.log.keep)
        self._wait(self.calls.begin(lambda: make_group(here, store)), "the start")

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
        wait = timedelta(seconds=self.timeout)
        making = self.calls.begin(lambda: dist.new_group(backend=backend, timeout=wait))
        self.group = self._wait(making, "the start")

    def keep_log(self, folder: Path) -> None:
        """Keep in a folder what each rank has to say: only the first one talks."""
        self.log.open(folder)
        self.log.keep(f"rank {self.rank} of {self.world}, process {os.getpid()}, on {self.device}")

    def gather(self, part: T, doing: str) -> list[T]:
        """Return every rank's part, in their order, on all of them; see `Ranks.gather`."""
        stops = self._stop is not None and self._stop.requested
        return [one.value for one in self._exchange(Part(doing, part, stops))]

    def of_first(self, make: Callable[[], T], doing: str) -> T:
        """Return, on all ranks, what the first one has made; the others do not call `make`."""
        return self.gather(make() if self.first else None, doing)[0]  # type: ignore[return-value]

    def stop(self, error: UniAPLError | None = None) -> None:
        """Have all ranks raise where they gather next; see `Ranks.stop`."""
        self._shared, self.agreed = error, self.agreed + 1
        self._exchange(Part("stopping", stops=True, error=error), raises=False)

    @contextmanager
    def breaking(self, stop: StopRequest) -> Iterator[None]:
        """Return a block that a signal breaks off, where that leaves no other rank waiting.

        Where weights are sharded, others may wait for this one inside of a pass; there, a signal
        counts in `whole` and where all gather.
        """
        if not self.sharded:
            with stop.interruptible():
                yield
            return
        self._stop = stop
        try:
            self.gather(None, "the beginning")
            yield
        finally:
            self._stop = None

    @contextmanager
    def whole(self, net: nn.Module) -> Iterator[None]:
        """Return a block in which all of a network is here, and nobody waits for others."""
        with super().whole(net), self._stop.interruptible() if self._stop else nullcontext():
            yield

    def sum(self, tensors: Sequence[Tensor], doing: str) -> None:
        """Add to each tensor, in place, the other ranks' of the same place, on all ranks alike."""
        self._come(doing)
        self._wait(self.calls.begin(lambda: sum_over(self.group, tensors)), doing)

    def _exchange(self, mine: Part, *, raises: bool = True) -> list[Part]:
        """Gather all parts. A signal that comes meanwhile counts when they are here."""
        self._come(mine.doing)
        interrupted = None
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

    def _come(self, doing: str) -> None:
        self._round, self._last = self._round + 1, self._place(doing)
        self.watch.at(self._round, self._last)

    def _place(self, doing: str) -> str:
        return doing if doing in AROUND else f"{doing} of step {self.step + 1}"

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
                    raise self._inquest(self._place(doing)).lost() from None
            except RuntimeError as error:
                if not is_broken(error):
                    raise
                raise self._inquest(self._place(doing)).lost(error) from None
            if (failure := self.watch.failure) is not None:
                raise as_error(failure)
            if time.monotonic() > until:
                raise self._inquest(self._place(doing)).late(self._round)

    def _inquest(self, place: str) -> Inquest:
        return Inquest(self.watch, place, self.timeout)

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Wait for the others, so that none leaves while another talks to it; or tell them why not.

        Raises what ended another rank in place of what that did to this one.
        """
        stopped = isinstance(error, KeyboardInterrupt) and not isinstance(error, StoppedAtOnce)
        try:
            if error is None or error is self._shared or (stopped and self.agreed):
                self.gather(None, "the end")
                self._leave()
                return
            ended = error
        except BaseException as at_end:  # noqa: BLE001  told the others
            ended = error if isinstance(at_end, KeyboardInterrupt) and error else at_end
        with deaf():
            cause = self._tell(ended)
            stay_deaf()  # to the launcher, until this rank has said why it ends
        if cause is not error:
            raise cause from None

    def _leave(self) -> None:
        stay_deaf()
        self.watch.end()
        self.calls.end()
        self.group = None
        dist.destroy_process_group()

    def _tell(self, error: BaseException) -> BaseException:
        """Tell the others why this rank ends; return that."""
        if isinstance(error, Exception) and not self.first:
            self.watch.first_differs(self._round + 1)
        trace = "".join(traceback.format_exception(error)).rstrip()
        self.log.keep(trace)
        inquest = self._inquest(f"the work after {self._last}")
        cause, said = inquest.cause(error, self.said(error)), self.said(error)
        if cause is not error:
            said = self.said(cause)
        is_bug = said is None and isinstance(cause, Exception)
        if self.watch.fail(failure_of(cause, self.rank, said, self.log.path)):
            be_quiet(False)
        elif is_bug and self.log.path is None:  # its words would be lost
            be_quiet(False)
            messages.print(trace, soft_wrap=True)
            be_quiet(not self.first)
        return cause
