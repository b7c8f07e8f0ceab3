"""What `uniapl plan` says of a step that is measured, beside it."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import uniapl


def planned(bench: Bench, method: str, policy: Any, peak: float | None, *keys: str) -> None:
    """Log a plan's peak beside the measured one. keys: the overrides of the step."""
    with bench.part("plan"):
        folder = bench.work / "planned"
        policy.model.config.save_pretrained(folder)
        policy.tokenizer.save_pretrained(folder)
        card = ("--gpu", "80") if bench.cuda else ()
        words = (method, "--config", f"tiny:{method}", f"model.path={folder}", *bench.where, *card)
        found = uniapl("plan", *words, *keys)
        memory = found["memory"]
        bench.log(
            f"{method}, the plan's peak",
            planned_gib=memory["peak_gib"],
            measured_gib=peak,
            ratio=None if peak is None else memory["peak_gib"] / peak,
            phase=memory["phase"],
            seconds=found["seconds"],
        )
