"""What the ranks say of themselves beside the work: that they live, and why one has failed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from threading import Event, Thread
from typing import Any

from uniapl_cli.ranks.failures import Failure

# Seconds between two signs of life, and looks at the others'.
BEAT = 0.5
# Of a rank that has given no sign for so long nothing is expected.
SILENCE = 2.5
# A rank that does not get to where it would hear of another's failure ends after so long: it may
# wait inside a kernel for one that will never come.
GRACE = 15.0
FAILED = "failed"


class Watch:
    """A thread that keeps saying that this rank lives, and looks whether another has failed.

    store: of the launcher, where all ranks read and write by name. ends: called, in that thread,
    where this rank has known of a failure for GRACE seconds and has not ended.
    """

    def __init__(self, store: Any, rank: int, world: int, ends: Callable[[Failure], None]) -> None:
        self.store, self.rank, self.world, self.ends = store, rank, world, ends
        self.failure: Failure | None = None
        self._over = Event()
        self._thread = Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def fail(self, failure: Failure) -> None:
        """Tell the others, unless one has failed before; wait until all that live have heard."""
        with suppress(Exception):  # the store may be gone with the rank that has it
            if self.store.add("failures", 1) == 1:
                self.store.set(FAILED, json.dumps(asdict(failure)))
            self.failure = self.failure or failure
            others = [rank for rank in range(self.world) if rank != self.rank]
            until = time.monotonic() + SILENCE
            while time.monotonic() < until:
                if self.store.check([f"heard/{rank}" for rank in others]):
                    return
                time.sleep(0.05)

    def at(self, round_: int, doing: str) -> None:
        """Note what this rank is about to wait for, and the how-manieth time it is."""
        with suppress(Exception):
            self.store.set(f"at/{self.rank}", json.dumps([round_, doing]))

    def behind(self, round_: int) -> dict[int, str]:
        """Return the ranks that have not come to the `round_`-th time, and where they were last."""
        found = {}
        for rank in range(self.world):
            last, doing = self._place(rank)
            if last < round_:
                found[rank] = doing
        return found

    def _place(self, rank: int) -> tuple[int, str]:
        with suppress(Exception):
            if self.store.check([f"at/{rank}"]):
                last, doing = json.loads(self.store.get(f"at/{rank}"))
                return int(last), str(doing)
        return -1, "the start"

    def silent(self) -> list[int]:
        """Return the ranks that give no sign of life any more; takes a few seconds."""
        before = self._beats()
        time.sleep(SILENCE)
        after = self._beats()
        return [
            rank for rank in range(self.world) if rank != self.rank and before[rank] == after[rank]
        ]

    def heard(self) -> Failure | None:
        """Return another rank's failure, asking now, if there is one."""
        if self.failure is None:
            with suppress(Exception):
                self._look()
        return self.failure

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join(5)

    def _beats(self) -> Sequence[int]:
        with suppress(Exception):
            return [self.store.add(f"beat/{rank}", 0) for rank in range(self.world)]
        return [0] * self.world

    def _look(self) -> None:
        if self.store.check([FAILED]):
            self.failure = Failure(**json.loads(self.store.get(FAILED)))
            self.store.set(f"heard/{self.rank}", "")

    def _work(self) -> None:
        known = 0.0
        while not self._over.wait(BEAT):
            try:
                self.store.add(f"beat/{self.rank}", 1)
                if not known:
                    self._look()
            except Exception:  # noqa: BLE001  without the store, its ranks are lost by other signs
                if self.failure is None:
                    continue
            if self.failure is not None:
                known = known or time.monotonic()
                if time.monotonic() - known > GRACE:
                    self.ends(self.failure)
                    os._exit(2)
