"""Ctrl-C, SIGTERM and SIGHUP end each verb at once, and it says what is kept and what is not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from uniapl_cli.runs.signals import SIGNALS

pytestmark = pytest.mark.slow

STEPS = 60
# Seconds within which a signal ends the program, on a machine that does other things too.
PATIENCE = 8


@pytest.fixture
def program(folder, programs):
    """program(words): a process in a session of its own, or a signal would be pytest's too."""
    return lambda words: programs.start(words, folder)


@pytest.fixture
def training(enough):
    """training(run's folder): the words that train into it."""
    settings = [f"training.steps={STEPS}", "optim.lr=0.003", "run.save_every=1000"]
    settings += ["training.max_idle_updates=0"]  # one easy row is soon learnt
    return lambda run: ["train", "grpo", *enough["train"], *settings, f"run.dir={run}"]


def steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def wait_for(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text().count("\n") < lines:
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.005)


def test_ctrl_c_saves_and_the_same_command_completes(folder, program, training):
    process = program(training("run"))
    wait_for(folder / "run" / "metrics.jsonl", 3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "once more stops at once" in err
    assert "Traceback" not in err

    done = len(steps(folder / "run"))
    whence = f"stopped; the same command goes on from the checkpoint of step {done}"
    assert err.splitlines()[-1] == whence
    assert 3 <= done < STEPS
    assert (folder / "run" / "checkpoints" / f"step-{done:08d}").is_dir()
    assert not (folder / "run" / "final").exists()

    process = program(training("run"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"resuming after step {done}" in err
    assert steps(folder / "run") == list(range(1, STEPS + 1))

    program(training("whole")).communicate(timeout=60)
    ours, whole = (load_file(folder / n / "final" / "model.safetensors") for n in ("run", "whole"))
    assert all(ours[name].equal(whole[name]) for name in whole)


def end(process, number: int) -> str:
    """Send a signal to the process and all that it started; return the last line it says."""
    began = time.monotonic()
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, ""), err
    assert "Traceback" not in err
    assert time.monotonic() - began < PATIENCE
    return err.splitlines()[-1]


@pytest.fixture
def many(folder, rows):
    """demo.jsonl, of many rows."""
    many = [{**rows[n % 4], "key": str(n)} for n in range(800)]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))


SLOWLY = {
    "teacher-gen": "teach.sampling.max_new_tokens=64 generation.batch_tokens=400",
    "score": "score.chunk=2 score.out=out.jsonl",
}


@pytest.mark.parametrize(
    ("verb", "number"),
    [("teacher-gen", signal.SIGINT), ("teacher-gen", signal.SIGHUP), ("score", signal.SIGTERM)],
)
def test_rows_are_kept_and_gone_on_from(folder, program, many, enough, verb, number):
    words = [verb, "--json", *enough[verb], *SLOWLY[verb].split()]
    process = program(words)
    wait_for(folder / "out.jsonl", 64)
    last = end(process, number)
    kept = (folder / "out.jsonl").read_text().count("\n")
    assert 64 <= kept < 800
    assert last == f"stopped; the same command goes on from the {kept} rows in 'out.jsonl'"
    out, _ = program(words).communicate(timeout=120)
    counts = json.loads(out)
    assert (counts["kept from before"], counts["rows"]) == (kept, 800)


@pytest.mark.parametrize(
    ("verb", "path", "number"),
    [
        ("filter-gt", ".kept.jsonl.tmp", signal.SIGINT),
        ("filter-gt", ".kept.jsonl.tmp", signal.SIGTERM),
        ("eval", "ev/.responses.jsonl.tmp", signal.SIGTERM),
    ],
)
def test_a_file_that_is_written_whole_is_as_it_was_before(
    folder, program, rows, enough, verb, path, number
):
    """So it is said, and nothing of the unfinished one is left."""
    slow = {**rows[0], "instruction_id_list": [], "kwargs": []}
    slow |= {"eval_funcs": ["import time\ndef evaluate(response): time.sleep(1)"]}
    many = [{**(slow if verb == "filter-gt" else rows[0]), "key": str(n)} for n in range(4000)]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))
    (folder / "ev").mkdir()
    for name in ("kept.jsonl", "ev/responses.jsonl", "ev/eval.json"):
        (folder / name).write_text("old")
    process = program([verb, *enough[verb]])
    wait_for(folder / path, 0)
    last = end(process, number)
    assert last.startswith("stopped; ") and f"is as it was: {verb} starts anew" in last
    assert (folder / "kept.jsonl").read_text() == (folder / "ev/eval.json").read_text() == "old"
    assert list(folder.rglob(".*.tmp")) == []


def usual() -> None:
    """The usual dispositions: what starts pytest may ignore some, as background jobs do."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def test_a_terminal_that_closes_leaves_a_checkpoint(folder, training):
    """The real program, from its start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uniapl_cli", *training("run")],
        cwd=folder,
        start_new_session=True,
        preexec_fn=usual,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(folder / "run" / "metrics.jsonl", 2)
    process.stderr.close()  # as the terminal's end does, nobody hears anything more
    os.killpg(process.pid, signal.SIGHUP)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    assert list((folder / "run" / "checkpoints").glob("step-*"))
