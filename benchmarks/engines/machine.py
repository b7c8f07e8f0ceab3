"""What a result says of where it was measured."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines())
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    kinds = ("avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
    return {
        "processor": fields.get("model name", platform.machine()),
        "cores": os.cpu_count(),
        "has": [kind for kind in kinds if kind in fields.get("flags", "").split()],
        **{name: version(name) for name in ("torch", "transformers")},
        "python": platform.python_version(),
        "threads": 1,
        "load": [round(load, 1) for load in os.getloadavg()],
        "date": time.strftime("%Y-%m-%d"),
    }


def free_gib() -> float:
    """Return the memory that is available."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20
