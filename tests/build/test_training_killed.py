"""A process that is killed costs only the steps since its last checkpoint."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from uniapl_cli.cli.session import METHODS

pytestmark = pytest.mark.slow

STEPS, PATIENCE = 12, 60
EXPERIMENT = METHODS.parents[1] / "experiments" / "tiny" / "unified.yaml"


@pytest.fixture(scope="module")
def start(tiny_data):
    """start(folder): the command that trains into a folder, as a process."""
    overrides = [f"training.steps={STEPS}", "run.save_every=2", "training.demonstrations=4"]
    overrides += ["training.prompts=4", "training.samples=4", "sampling.max_new_tokens=24"]
    overrides += [f"data.{name}={tiny_data['few']}" for name in ("demonstrations", "prompts")]
    command = [sys.executable, "-m", "uniapl_cli", "train", "unified", "--config", str(EXPERIMENT)]

    def begin(folder):
        given = [*command, *overrides, f"run.dir={folder}"]
        return subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return begin


@pytest.fixture(scope="module")
def uninterrupted(start, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    finish(start(folder))
    return weights(folder)


def finish(process):
    _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, talk


def last_step(folder):
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines(True) if metrics.exists() else []
    whole = [json.loads(line)["step"] for line in lines if line.endswith("\n")]
    return whole[-1] if whole else 0


def wait_for(step, folder, process):
    end = time.monotonic() + PATIENCE
    while last_step(folder) < step:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, f"step {step} never came"
        time.sleep(0.005)


def test_three_kills_end_in_the_same_model_to_the_bit(
    start, uninterrupted, weights, logged, tmp_path
):
    rng = random.Random(7)
    run = tmp_path / "run"
    for step in sorted(rng.sample(range(1, STEPS - 2), 3)):
        process = start(run)
        wait_for(step, run, process)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (run / "final").exists()
    finish(start(run))
    assert weights(run) == uninterrupted
    assert [row["step"] for row in logged(run)] == list(range(1, STEPS + 1))


def test_a_run_that_is_asked_to_stop_saves_and_goes_on(start, uninterrupted, weights, tmp_path):
    run = tmp_path / "run"
    process = start(run)
    wait_for(2, run, process)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, talk
    assert "the same command goes on from here" in talk
    stopped = last_step(run)
    assert (run / "checkpoints" / f"step-{stopped:08d}").is_dir()
    finish(start(run))
    assert weights(run) == uninterrupted
