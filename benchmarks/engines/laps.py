"""The clock of steps and of their parts, in seconds of the processor and of the wall."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from transformers import TrainerCallback


class Laps:
    """Seconds of each step, and the CPU seconds of its named parts."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []
        self.parts: dict[str, list[float]] = {}

    def begin(self) -> None:
        """Begin a step."""
        self.began = time.process_time(), time.perf_counter()
        self.own: dict[str, float] = {}

    def end(self) -> None:
        """End the step."""
        self.cpu.append(time.process_time() - self.began[0])
        self.wall.append(time.perf_counter() - self.began[1])
        for name, seconds in self.own.items():
            self.parts.setdefault(name, []).append(seconds)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is done within to a part."""
        began = time.process_time()
        try:
            yield
        finally:
            self.own[name] = self.own.get(name, 0) + time.process_time() - began

    def rest(self, name: str) -> None:
        """Call what no part of the step has counted so far by a name."""
        spent = time.process_time() - self.began[0]
        self.own[name] = spent - sum(self.own.values())

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Count the calls of an object's method to a part."""
        plain = getattr(owner, method)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(name):
                return plain(*arguments, **options)

        setattr(owner, method, timed)

    def figures(self) -> dict[str, Any]:
        """Return the steps since the last call."""
        found: dict[str, Any] = {"cpu_steps": self.cpu, "steps": self.wall}
        if self.parts:
            found["parts"] = self.parts
        self.clear()
        return found


class Callback(TrainerCallback):
    """Tells the clock of a trainer's steps. rest: the name of what no part counts."""

    def __init__(self, laps: Laps, rest: str | None = None) -> None:
        self.laps, self.name = laps, rest

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.laps.begin()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if self.name:
            self.laps.rest(self.name)
        self.laps.end()
