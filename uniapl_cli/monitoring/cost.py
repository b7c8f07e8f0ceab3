"""What a step costs: its throughput and its memory."""

from __future__ import annotations

import resource
import sys

import torch

GIB = 2**30
# getrusage counts in KiB; on macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def tokens_per_second(tokens: int, seconds: float) -> float:
    """Return trained tokens a second; `seconds` are those of the whole step, sampling included."""
    return tokens / seconds if seconds > 0 else 0.0


def memory_gib(device: torch.device) -> float:
    """Return the peak memory in GiB.

    On CUDA the peak of tensors since the last call, so that each step has its own number; elsewhere
    the peak of the process's resident memory so far, which never falls.
    """
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak / GIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / GIB
