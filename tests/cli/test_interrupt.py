"""Ctrl-C leaves a checkpoint, and the same command goes on from it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

STEPS = 60
MAIN = "from uniapl_cli.cli.app import main; main()"


@pytest.fixture
def start(folder, enough):
    """start(run's folder): the real program, training into it."""

    def training(run: str) -> subprocess.Popen:
        settings = [f"training.steps={STEPS}", "optim.lr=0.003", "run.save_every=1000"]
        settings += ["training.max_idle_updates=0"]  # one easy row is soon learnt
        words = ["train", "grpo", *enough["train"], *settings, f"run.dir={run}"]
        return program(folder, words)

    return training


def program(folder: Path, words: list[str]) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A process group of its own, or the signal would be pytest's too.
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], cwd=folder, start_new_session=True, **pipes
    )


def steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def wait_for(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text().count("\n") < lines:
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.005)


def test_ctrl_c_saves_and_the_same_command_completes(folder, start):
    with start("run") as process:
        wait_for(folder / "run" / "metrics.jsonl", 3)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "stopping after this step, with a checkpoint" in err
    assert err.splitlines()[-1] == "stopped; the same command goes on from here"
    assert "Traceback" not in err

    done = len(steps(folder / "run"))
    assert 3 <= done < STEPS
    assert (folder / "run" / "checkpoints" / f"step-{done:08d}").is_dir()
    assert not (folder / "run" / "final").exists()

    with start("run") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"resuming after step {done}" in err
    assert steps(folder / "run") == list(range(1, STEPS + 1))

    with start("whole") as process:
        process.communicate(timeout=60)
    ours, whole = (load_file(folder / n / "final" / "model.safetensors") for n in ("run", "whole"))
    assert all(ours[name].equal(whole[name]) for name in whole)


def test_ctrl_c_while_asking_the_teacher_keeps_what_was_answered(folder, rows, enough):
    many = [{**rows[0], "key": str(n)} for n in range(160)]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))
    words = ["teacher-gen", "--json", *enough["teacher-gen"]]
    words += ["teach.sampling.max_new_tokens=64", "generation.batch_tokens=400"]
    with program(folder, words) as process:
        wait_for(folder / "out.jsonl", 64)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    kept = (folder / "out.jsonl").read_text().count("\n")
    assert 64 <= kept < 160
    with program(folder, words) as process:
        out, _ = process.communicate(timeout=60)
    counts = json.loads(out)
    assert (counts["kept from before"], counts["rows"]) == (kept, 160)
