"""All sections, what matters most first, and how many seconds each should take on an H100."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.continuous import continuous
from benchmarks.gpu.generation import generation
from benchmarks.gpu.logps import logps
from benchmarks.gpu.machine import ceilings, env
from benchmarks.gpu.polar import polar
from benchmarks.gpu.ranks import ranks
from benchmarks.gpu.runs import methods, tiny
from benchmarks.gpu.smollm2 import smollm2
from benchmarks.gpu.training import grpo, sft

SECTIONS: dict[str, tuple[Callable[[Bench], None], float]] = {
    "env": (env, 5),
    "ceilings": (ceilings, 10),
    "logps": (logps, 25),
    "sft": (sft, 90),
    "grpo": (grpo, 75),
    "generation": (generation, 110),
    "tiny": (tiny, 40),
    "polar": (polar, 60),
    "methods": (methods, 45),
    "ranks": (ranks, 60),
    "smollm2": (smollm2, 200),
    "continuous": (continuous, 75),
}
