"""A process that is killed costs only the steps since its last checkpoint."""

import json
import random
import signal
import time
from functools import cache

import pytest

from uniapl_cli.config.methods import METHODS

pytestmark = pytest.mark.slow

STEPS, PATIENCE = 24, 120
ROOT = METHODS.parents[1]
EXPERIMENT = ROOT / "experiments" / "tiny" / "unified.yaml"
# Both are mixed: demonstrations and rollouts, with GRPO's or DPO's preference.
MIXED = ("unified", "unified_dpo")


@pytest.fixture(scope="module")
def start(programs, tiny_data):
    """start(folder, method): a process that trains into a folder."""
    overrides = [f"training.steps={STEPS}", "run.save_every=2", "sampling.max_new_tokens=24"]
    overrides += ["sources.rollouts={prompts_per_step: 4, num_generations: 4}"]
    overrides += ["sources.demonstrations.rows_per_step=4", "sources.choices.rows_per_step=4"]
    overrides += [f"data.preferences={tiny_data['pairs']}"]
    overrides += [f"data.{name}={tiny_data['few']}" for name in ("demonstrations", "prompts")]

    def begin(folder, method="unified"):
        words = ["train", method, "--config", str(EXPERIMENT), *overrides, f"run.dir={folder}"]
        return programs.start(words, ROOT)

    return begin


@pytest.fixture(scope="module")
def uninterrupted(start, weights, tmp_path_factory):
    """uninterrupted(method): the final weights of a run that nobody disturbed."""

    @cache
    def make(method="unified"):
        folder = tmp_path_factory.mktemp("uninterrupted") / method
        finish(start(folder, method))
        return weights(folder)

    return make


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
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"step {step} never came"
        time.sleep(0.005)


@pytest.mark.parametrize("method", MIXED)
def test_ten_kills_at_any_moment_end_in_the_same_model_to_the_bit(
    method, start, uninterrupted, weights, logged, tmp_path
):
    """Half of them within a step or a save, half while the run is still getting up."""
    rng, run = random.Random(7), tmp_path / "run"
    steps = iter(sorted(rng.sample(range(1, STEPS - 3), 5)))
    for kill in range(10):
        process = start(run, method)
        if kill % 2:
            wait_for(next(steps), run, process)
            time.sleep(rng.uniform(0, 0.2))
        else:
            time.sleep(rng.uniform(0, 1))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (run / "final").exists()
    finish(start(run, method))
    assert weights(run) == uninterrupted(method)
    assert [row["step"] for row in logged(run)] == list(range(1, STEPS + 1))


def test_a_run_that_is_asked_to_stop_saves_and_goes_on(start, uninterrupted, weights, tmp_path):
    run = tmp_path / "run"
    process = start(run)
    wait_for(2, run, process)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, talk
    stopped = last_step(run)
    assert f"the same command goes on from the checkpoint of step {stopped}" in talk
    assert (run / "checkpoints" / f"step-{stopped:08d}").is_dir()
    finish(start(run))
    assert weights(run) == uninterrupted()
