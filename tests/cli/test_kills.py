"""A sample of benchmarks/kills.py: kills at random moments and full disks change no byte."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["score", "filter-gt", "train sft"])
def test_kills_and_full_disks_change_no_byte(verb):
    command = [sys.executable, KILLS, "--kills", "2", "--full", "1", "--verb", verb]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 kills" in result.stdout
    if "nothing can be mounted" in result.stdout:
        pytest.skip("kills only: nothing can be mounted here")
    assert "full disks, all as undisturbed" in result.stdout
