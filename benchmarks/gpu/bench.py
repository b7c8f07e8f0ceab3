"""The options, the device, the clock and where the lines go."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

BEGAN = time.monotonic()


class Bench:
    """What a section measures with."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.cuda = self.device.startswith("cuda")
        self.precision = options.precision
        # Of a command: where it computes, and in what.
        self.where = (f"run.device={self.device}", f"precision={self.precision}")
        self.small = options.small
        self.work = Path(options.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.section = "start"
        self.lines: list[dict[str, Any]] = []
        self.file = None
        if options.out:
            Path(options.out).mkdir(parents=True, exist_ok=True)
            self.file = (Path(options.out) / "gpu_check.jsonl").open("a")

    def log(self, what: str, **figures: Any) -> None:
        """Print a line at once, and keep it."""
        line = {"section": self.section, "what": what, **rounded(figures)}
        self.lines.append(line)
        text = json.dumps({**line, "at": round(time.monotonic() - BEGAN, 1)})
        print(text, flush=True)
        if self.file:
            self.file.write(text + "\n")
            self.file.flush()

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return float(self.options.budget_seconds - (time.monotonic() - BEGAN))

    def pick(self, full: Any, small: Any) -> Any:
        """Return the size for this run."""
        return small if self.small else full

    def sync(self) -> None:
        """Wait for the device."""
        if self.cuda:
            torch.cuda.synchronize()

    def clock(self, function: Callable[[], Any], times: int = 1, warm: int = 0) -> float:
        """Return the median seconds of a call."""
        for _ in range(warm):
            function()
        seconds = []
        for _ in range(times):
            self.sync()
            began = time.perf_counter()
            function()
            self.sync()
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    def peak_gib(self) -> float | None:
        """Return the most memory that tensors held since the last call; None on a CPU."""
        if not self.cuda:
            return None
        peak = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
        return peak

    @contextlib.contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Record the error of a part of a section, and go on behind it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  a check reports whatever it was
            frames = traceback.extract_tb(error.__traceback__)[-3:]
            self.log(
                what,
                error=f"{type(error).__name__}: {str(error)[:400]}",
                where=[f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames],
            )
            self.free()

    def free(self) -> None:
        """Give memory back."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    def print_table(self) -> None:
        """Print all lines, the numbers only."""
        print("\nsection      what                                figures")
        for line in self.lines:
            figures = {k: v for k, v in line.items() if k not in ("section", "what", "where")}
            shown = (f"{k}={v}" for k, v in figures.items() if not isinstance(v, (list, dict)))
            print(f"{line['section']:<12} {line['what'][:34]:<35} {' '.join(shown)[:150]}")


def rounded(value: Any) -> Any:
    """Return numbers short enough to read; JSON holds no inf and no nan."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value
