"""Follows a run's files, and hands what comes to a tracker in a thread of its own."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import inf
from typing import Any

from uniapl_cli.errors import first_line
from uniapl_cli.monitoring.tail import Tail
from uniapl_cli.monitoring.trackers.tracker import Status, TrackedRun, Tracker
from uniapl_cli.runs.directory import RunDirectory

log = logging.getLogger("uniapl")

# Seconds between looks at the files; after a failure; and without an answer until it is said.
INTERVAL, RETRY, SILENT = 2.0, 60.0, 60.0
METRICS, VALIDATION, SAMPLES = KINDS = "metrics", "validation", "samples"


class Sent:
    """What trackers have of a run: RUN/trackers.json, by the tracker's name.

    An entry has the `id` of the tracked run, and of each kind of rows the last step that was sent;
    -1 is none, for a validation may be of step 0.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.run, self.path = run, run.path / "trackers.json"
        self.lock = threading.Lock()
        self.entries: dict[str, Any] = {}
        # None yet, or what is no such file: all is sent anew.
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            found = json.loads(self.path.read_text(encoding="utf-8")).items()
            self.entries = {name: entry for name, entry in found if _is_entry(entry)}

    def entry(self, name: str) -> dict[str, Any]:
        """Return a tracker's entry; a new one where it has nothing."""
        new = {"id": uuid.uuid4().hex[:16], **dict.fromkeys(KINDS, -1)}
        return {**new, **self.entries.get(name, {})}

    def write(self, name: str, entry: dict[str, Any]) -> None:
        """Note what a tracker has."""
        with self.lock:
            self.entries[name] = dict(entry)
            self.run.write(self.path.name, json.dumps(self.entries, indent=1) + "\n")


class Follower:
    """One tracker of a run: it is sent what the files have, step by step.

    `rewinds`: the tracker takes back what it has of the steps behind the one it starts at. `facts`
    have the id of `sent`.
    """

    def __init__(
        self, name: str, tracker: Tracker, rewinds: bool, facts: TrackedRun, sent: Sent
    ) -> None:
        self.name, self.tracker, self.rewinds = name, tracker, rewinds
        self.facts, self.sent = facts, sent
        self.entry = {**sent.entry(name), "id": facts.id}
        self.metrics, self.samples = Tail(sent.run.metrics), Tail(sent.run.samples)
        self.validation = Tail(sent.run.validation)
        self.newest, self.started = 0, False
        # What was sent, and from when on a kill cannot undo it.
        self.unwritten: list[tuple[float, dict[str, Any]]] = []
        self.busy: float | None = None  # since when a call has not returned
        self.ending = threading.Event()
        self.status: Status = "failed"
        self.thread: threading.Thread | None = None
        self.told: set[str] = set()

    def begin(self, step: int) -> None:
        """Send what is missing, and what comes, from a thread of its own."""
        self.thread = threading.Thread(target=self._work, args=(step,), daemon=True)
        self.thread.start()

    def end(self, status: Status) -> None:
        """Ask the thread to send what is left, and to end."""
        self.status = status
        self.ending.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, and say if it has not."""
        assert self.thread is not None, "it has begun"
        self.thread.join(seconds)
        if self.thread.is_alive():
            self._tell("late", f"has not taken everything; later `{self._command}` sends it")

    def check(self) -> None:
        """Say once that the tracker has not answered for a while."""
        busy = self.busy
        if busy is not None and time.monotonic() - busy > SILENT:
            self._tell("silent", f"has not answered for {SILENT:.0f} s; {self._later}")

    def catch_up(self, step: int, *, ended: bool) -> None:
        """Send what the files have and the tracker has not. `ended`: no more rows will come.

        `step`: the one that the run goes on from.
        """
        if not self.started:
            self._rewind(step)
            self.tracker.start(self.facts, step)
            self.started = True
            self.sent.write(self.name, self.entry)
        before = dict(self.entry)
        self._send(inf if ended else self.newest)
        if self.entry != before:
            written = time.monotonic() + self.tracker.flush()
            self.unwritten.append((written, dict(self.entry)))
        while self.unwritten and self.unwritten[0][0] <= time.monotonic():
            self.sent.write(self.name, self.unwritten.pop(0)[1])

    def finish(self, status: Status) -> None:
        """End the tracked run, of which all was sent."""
        self.tracker.finish(status, self.newest)
        self.sent.write(self.name, self.entry)

    def _work(self, step: int) -> None:
        """Send, wait, send again; what fails is tried again later, and once more at the end."""
        last = False
        while not last:
            last, pause = self.ending.is_set(), INTERVAL
            self.busy = time.monotonic()
            try:
                self.catch_up(step, ended=last)
                if last:
                    self.finish(self.status)
            except Exception as error:  # noqa: BLE001  anything may go wrong in a package of others
                reason = f"{type(error).__name__}: {first_line(error)}"
                self._tell("failed", f"fails ({reason}); {self._later}")
                pause = RETRY
            self.busy = None
            self.ending.wait(pause)

    def _rewind(self, step: int) -> None:
        """Take back what was sent behind the step that the run goes on from, or say that it stays.

        Those steps are run again; on a GPU their figures may differ a little.
        """
        last = max(self.entry[kind] for kind in KINDS)
        if self.rewinds:
            self.entry |= {kind: min(self.entry[kind], step) for kind in KINDS}
        elif last > step:
            which = f"its rows of steps {step + 1} to {last}"
            self._tell("kept", f"keeps {which}, which are run again and not sent again")

    def _send(self, whole: float) -> None:
        """Send new rows. Samples of a step are all there once a later one was logged."""
        for step, rows in self.metrics.steps():
            self.newest = max(self.newest, step)
            if step > self.entry[METRICS]:
                self.tracker.log(step, numbers(rows))
                self.entry[METRICS] = step
        for step, rows in self.validation.steps():
            if step > self.entry[VALIDATION]:
                self.tracker.log(step, numbers(rows, "validation/"))
                self.entry[VALIDATION] = step
        for step, rows in self.samples.steps(whole):
            if step > self.entry[SAMPLES]:
                for source, chosen in by_source(rows).items():
                    self.tracker.samples(step, source, chosen)
                self.entry[SAMPLES] = step

    @property
    def _command(self) -> str:
        return f"uniapl track {self.sent.run.path} --to {self.name}"

    @property
    def _later(self) -> str:
        return f"the run goes on, and later `{self._command}` sends what is missing"

    def _tell(self, what: str, line: str) -> None:
        """Say something of the tracker, each thing once."""
        if what not in self.told:
            self.told.add(what)
            log.warning("the tracker %s %s", self.name, line)


def _is_entry(value: Any) -> bool:
    """Whether a value out of JSON has an id, and steps as far as it has any."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return False
    return all(isinstance(value.get(kind, -1), int) for kind in KINDS)


def numbers(rows: Iterable[Mapping[str, Any]], prefix: str = "") -> dict[str, float]:
    """Return the numbers of rows, those of nested maps as `outer/inner`, with a prefix."""
    found: dict[str, float] = {}
    for row in rows:
        for name, value in row.items():
            full = name if name.startswith(prefix) else f"{prefix}{name}"
            if isinstance(value, dict):
                found |= {f"{full}/{inner}": v for inner, v in numbers([value]).items()}
            elif name != "version" and isinstance(value, int | float):
                found[full] = value
    return found


def by_source(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return a step's samples by the source that they came from."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        rest = {name: value for name, value in row.items() if name != "source"}
        found.setdefault(str(row.get("source", "samples")), []).append(rest)
    return found
