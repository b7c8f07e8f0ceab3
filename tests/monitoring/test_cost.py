import sys
from pathlib import Path

import pytest
import torch

from uniapl_cli.monitoring.cost import memory_gib, tokens_per_second

CPU = torch.device("cpu")


def test_tokens_per_second():
    assert tokens_per_second(600, 2.0) == 300.0
    assert tokens_per_second(600, 0.0) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_the_kernels_peak_in_gib():
    """VmHWM is in kB."""
    result = memory_gib(CPU)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert result == pytest.approx(peak / 2**20, rel=0.02)


def test_cuda_is_asked_for_each_step_alone(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3 * 2**29)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", calls.append)
    assert memory_gib(torch.device("cuda", 0)) == 1.5
    assert calls == [torch.device("cuda", 0)]
