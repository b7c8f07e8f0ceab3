"""The real torchrun, with a plug-in whose reward function fails on one rank; and its restarts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from short_runs import SHORT

pytestmark = pytest.mark.ranks
SOUR = """
import os
import signal

from uniapl_cli import register_reward_function

calls = []

@register_reward_function("sour", shares="groups")
def sour(rollouts):
    calls.append(1)
    if len(calls) == 2 and os.environ["RANK"] == "1":
        raise ValueError("it is sour")
    return [float(len(rollout.completion.token_ids)) for rollout in rollouts]
"""


def torchrun(folder, *flags, method="grpo", more=()):
    """Start a run by two processes."""
    uniapl = str(Path(sys.executable).parent / "uniapl")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", *flags]
    command += [uniapl, "train", method, "--config", f"tiny:{method}", *SHORT, "run.dir=run", *more]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_reward_function_that_fails_on_one_rank(tmp_path, tiny_data):
    (tmp_path / "few.jsonl").symlink_to(tiny_data["few"])
    (tmp_path / "sour.py").write_text(SOUR)
    more = ("rewards.verifier.functions={sour: 1.0}", "--plugin", "sour.py")
    started = torchrun(tmp_path, "--standalone", more=more)
    out, err = started.communicate(timeout=200)
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    assert started.returncode == 1 and out == ""
    assert len(said) == 1 and "it is sour" in said[0] and said[0].startswith("error: rank 1: "), err
    lines = err.splitlines()
    assert lines[lines.index(said[0]) + 1][:2] in ("E1", "W1", "E0", "W0"), err  # torchrun's own
    assert "it is sour" in err.partition("Root Cause")[2]


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def test_torchrun_starts_all_ranks_again_and_they_go_on(tmp_path, tiny_data):
    (tmp_path / "few.jsonl").symlink_to(tiny_data["few"])
    address = f"--rdzv-endpoint=localhost:{free_port()}"
    flags = ("--rdzv-backend=c10d", address, "--rdzv-id=again", "--max-restarts=1")
    started = torchrun(tmp_path, *flags, method="sft", more=("training.steps=30",))
    until, log = time.monotonic() + 120, tmp_path / "run/logs/rank-1.log"
    while not any(tmp_path.glob("run/checkpoints/step-*")) or not log.exists():
        assert time.monotonic() < until and started.poll() is None
        time.sleep(0.02)
    process = int(log.read_text().partition("process ")[2].partition(",")[0])
    os.kill(process, signal.SIGKILL)
    out, err = started.communicate(timeout=200)
    assert started.returncode == 0 and "final: " in out, err
    assert err.count("error: rank 1 has ended, in ") == 1 and "resuming after step" in err
    rows = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == list(range(1, 31))
    assert log.read_text().count("rank 1 of 2, process ") == 2
