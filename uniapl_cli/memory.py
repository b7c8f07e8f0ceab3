"""How much memory is free."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def free_bytes(device: torch.device) -> int:
    """Return the bytes that can be taken on a device now, in this process's control group too."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    return min(_machine(), _control_group())


def spare_bytes() -> int:
    """Return the host's bytes that stay free when this process takes again what it had at its peak.

    Off Linux the peak is not known, and all that is free counts.
    """
    sizes = {"VmHWM": 0, "VmRSS": 0}
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in sizes:
                sizes[name] = int(value.split()[0]) * 1024
    except OSError:
        pass
    return free_bytes(torch.device("cpu")) - (sizes["VmHWM"] - sizes["VmRSS"])


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _control_group() -> int:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        kinds = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 2**62
    # Pages of files that nobody reads now count as used, and are dropped for whoever needs memory.
    used -= int(kinds.get("inactive_file", 0))
    return 2**62 if limit == "max" else max(0, int(limit) - used)
