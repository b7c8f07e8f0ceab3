"""Runs are the same to the bit with encoded data from the disk, whoever writes or is killed."""

import time
from dataclasses import replace
from itertools import count

import pytest

from uniapl_cli.commands import job, reading
from uniapl_cli.config.methods import METHODS
from uniapl_cli.files import write_rows
from uniapl_cli.runs.signals import Stopped

ROOT = METHODS.parents[1]
# So many are kept; short ones, since they are to be encoded in seconds.
ROWS = reading.LEAST_ROWS
PATIENCE = 240


def cache(tmp_path):
    return f"data.cache={tmp_path / 'kept'}"


@pytest.mark.parametrize("method", ["unified", "dpo"])
def test_weights_are_the_same_with_without_and_from_the_cache(
    train_tiny, weights, logged, tmp_path, monkeypatch, method
):
    monkeypatch.setattr(reading, "LEAST_ROWS", 1)
    without = train_tiny(method, "without", "data.cache=null")
    assert not (tmp_path / "kept").exists()
    for name in ("cold", "warm"):
        run = train_tiny(method, name, cache(tmp_path))
        assert weights(run) == weights(without)
        assert logged(run) == logged(without)
    assert list((tmp_path / "kept").iterdir())


def test_a_resume_from_the_cache_goes_on_as_without(train_tiny, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LEAST_ROWS", 1)
    without = train_tiny("unified", "without", "data.cache=null")
    whole, steps = job.run_loop, count()

    def stopped(*arguments, **options):
        settings = arguments[5]
        if next(steps):
            return whole(*arguments, **options)
        whole(*arguments[:5], replace(settings, steps=2), *arguments[6:], **options)
        raise Stopped(15)

    monkeypatch.setattr(job, "run_loop", stopped)
    with pytest.raises(Stopped):
        train_tiny("unified", "resumed", cache(tmp_path))
    assert weights(train_tiny("unified", "resumed", cache(tmp_path))) == weights(without)


@pytest.fixture
def start(programs, tmp_path):
    """start(name, cache): a process that learns 10,000 rows, a step of them."""
    answers = ["It is old.", "It is new.", "Nobody knows."]
    rows = [{"prompt": f"Is {n} old?", "response": answers[n % 3]} for n in range(ROWS)]
    write_rows(tmp_path / "rows.jsonl", rows)
    steps = ["training.steps=1", "sources.demonstrations.rows_per_step=2"]
    steps.append(f"data.demonstrations={tmp_path / 'rows.jsonl'}")
    experiment = str(ROOT / "experiments" / "tiny" / "sft.yaml")

    def begin(name, cache):
        words = ["train", "sft", "--config", experiment, *steps, f"run.dir={tmp_path / name}"]
        return programs.start([*words, f"data.cache={cache}"], ROOT)

    return begin


def finish(process):
    _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, talk
    return talk


def entries(folder):
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


@pytest.mark.slow
def test_two_that_write_at_once_and_one_that_is_killed(start, weights, tmp_path):
    kept = tmp_path / "kept"
    without = start("without", "null")
    killed, deadline = start("killed", kept), time.monotonic() + PATIENCE
    while not list(kept.glob(".part-*/tokens.arrow")):  # it is encoding
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    assert killed.wait(PATIENCE) == -9
    finish(without)
    assert not entries(kept) and list(kept.iterdir())
    for process in [start(name, kept) for name in ("one", "other")]:
        finish(process)
    assert len(entries(kept)) == 1
    assert str(entries(kept)[0]) in finish(start("warm", kept))
    found = {weights(tmp_path / name) for name in ("without", "one", "other", "warm")}
    assert len(found) == 1
