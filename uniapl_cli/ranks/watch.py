"""What the ranks say of themselves beside the work: that they live, and why one has failed."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from uniapl_cli.ranks.failures import Failure
from uniapl_cli.ranks.launch import host

T = TypeVar("T")

# Seconds between two signs of life, and looks at the others'.
BEAT = 0.5
# Of a rank that has given no sign for so long nothing is expected.
SILENCE = 2.5
# A rank that does not get to where it would hear of another's failure ends after so long: it may
# wait inside a kernel for one that will never come.
GRACE = 15.0
# So long a rank that fails waits whether the first one fails of the same.
ALIKE = 5.0
FAILED = "failed"


class Watch:
    """A thread that keeps saying that this rank lives, and looks whether another has failed.

    store: of the launcher, where all ranks read and write by name; its connection is the watch's
    own, since one that waits for a name lets no other call pass. One that breaks does not heal, and
    torch prints its stack at each use: it is used no more. ends: called, in that thread,
    where this rank has known of a failure for GRACE seconds and has not ended; `note` is then
    given what it was at.
    """

    def __init__(
        self,
        store: Any,
        rank: int,
        world: int,
        ends: Callable[[Failure], None],
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.store, self.rank, self.world, self.ends, self.note = store, rank, world, ends, note
        self.failure: Failure | None = None
        self.gone: list[int] = []  # ranks that were found to give no sign of life
        self.unanswered = 0.0  # since when the store has given no answer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def fail(self, failure: Failure) -> bool:
        """Tell the others, unless one has failed before; wait until all that live have heard.

        Returns whether this rank is to talk in place of the first one, which has not heard.
        """
        self.failure = self.failure or failure
        talks = self._ask(lambda: self._told(failure), False)
        if self.unanswered:  # the store is gone, with the launcher or the first rank
            return self.rank == 1 and host() == "rank 0"
        return talks

    def _told(self, failure: Failure) -> bool:
        others = [r for r in range(self.world) if r != self.rank and r not in self.gone]
        told = self.store.add("failures", 1) == 1
        if told:
            self.store.set(FAILED, json.dumps(asdict(failure)))
        until = time.monotonic() + SILENCE
        while time.monotonic() < until and not self._have_heard(others):
            time.sleep(0.05)
        return told and self.rank > 0 and not self._have_heard([0])

    def _have_heard(self, ranks: Sequence[int]) -> bool:
        return all(self.store.check([f"heard/{rank}"]) for rank in ranks)

    def _ask(self, call: Callable[[], T], otherwise: T) -> T:
        """Return what the store answers; `otherwise` where it is gone, now or before."""
        if not self.unanswered:
            try:
                return call()
            except RuntimeError:  # of torch's connections
                self.unanswered = time.monotonic()
        return otherwise

    def at(self, round_: int, doing: str) -> None:
        """Note what this rank is about to wait for, and the how-manieth time it is."""
        place = json.dumps([round_, doing])
        self._ask(lambda: self.store.set(f"at/{self.rank}", place), None)

    def behind(self, round_: int) -> dict[int, str]:
        """Return the ranks that have not come to the `round_`-th time, and where they were last."""
        nowhere: list[tuple[int, str]] = []
        places = self._ask(lambda: [self._place(rank) for rank in range(self.world)], nowhere)
        return {rank: doing for rank, (last, doing) in enumerate(places) if last < round_}

    def first_differs(self, round_: int) -> None:
        """Wait until the first rank has failed too, or come to its `round_`-th time."""
        until = time.monotonic() + ALIKE
        while time.monotonic() < until and self.heard() is None:
            if self._ask(lambda: self._place(0)[0], round_) >= round_:
                return
            time.sleep(0.05)

    def _place(self, rank: int) -> tuple[int, str]:
        if not self.store.check([f"at/{rank}"]):
            return -1, "the start"
        last, doing = json.loads(self.store.get(f"at/{rank}"))
        return int(last), str(doing)

    def give_up(self) -> None:
        """Note that this rank waits no longer for another one, and does not know for which."""
        self._ask(lambda: self.store.set(f"late/{self.rank}", ""), None)

    def waited_for(self) -> list[int]:
        """Return the ranks that have not given up waiting, where some have."""
        late = [f"late/{rank}" for rank in range(self.world)]
        nobody: list[bool] = []
        wait = self._ask(lambda: [not self.store.check([name]) for name in late], nobody)
        return [rank for rank, waits in enumerate(wait) if waits]

    def silent(self) -> list[int]:
        """Return the ranks that give no sign of life any more; takes a few seconds."""
        before = self._beats()
        time.sleep(SILENCE)
        after = self._beats()
        if not before or not after:  # whose signs of life go through the store
            self.gone = [0] if self.rank > 0 and host() == "rank 0" else []
        else:
            others = [rank for rank in range(self.world) if rank != self.rank]
            self.gone = [rank for rank in others if before[rank] == after[rank]]
        return self.gone

    def heard(self) -> Failure | None:
        """Return another rank's failure, asking now, if there is one."""
        if self.failure is None:
            self._ask(self._look, None)
        return self.failure

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join(5)

    def _beats(self) -> Sequence[int]:
        ranks = range(self.world)
        return self._ask(lambda: [self.store.add(f"beat/{rank}", 0) for rank in ranks], [])

    def _look(self) -> None:
        if self.store.check([FAILED]):
            self.failure = Failure(**json.loads(self.store.get(FAILED)))
            self.store.set(f"heard/{self.rank}", "")

    def _work(self) -> None:
        known = 0.0
        while not self._over.wait(BEAT):
            self._ask(lambda: self.store.add(f"beat/{self.rank}", 1), 0)
            if not known:
                self._ask(self._look, None)
            if self.unanswered:
                self._without_store()
            if self.failure is not None:
                known = known or time.monotonic()
                if time.monotonic() - known > GRACE:
                    frame = sys._current_frames()[threading.main_thread().ident or 0]
                    self.note(f"ended in\n{''.join(traceback.format_stack(frame)).rstrip()}")
                    self.ends(self.failure)
                    os._exit(2)

    def _without_store(self) -> None:
        """End too, once it is sure: nobody would end or repeat this rank with the others."""
        if self.failure is None and time.monotonic() - self.unanswered > SILENCE:
            text = f"{host()} has ended. Repeat the command: it goes on from the newest checkpoint"
            self.failure = Failure(self.rank, text)
