"""A sample of benchmarks/kills.py: kills at random moments and full disks change no byte."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"
VERBS = ("score", "filter-gt", "eval", "train sft")


@pytest.mark.slow
def test_kills_and_full_disks_change_no_byte():
    verbs = [word for verb in VERBS for word in ("--verb", verb)]
    command = [sys.executable, KILLS, "--kills", "1", "--full", "1", *verbs]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("1 kills") == len(VERBS)
    if "nothing can be mounted" in result.stdout:
        pytest.skip("kills only: nothing can be mounted here")
    assert result.stdout.count("1 full disks, all as undisturbed") == len(VERBS)
