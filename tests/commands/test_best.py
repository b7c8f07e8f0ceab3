"""The best model: by a direction, of equal ones the earliest, never a damaged one."""

import json
import logging

import pytest

from uniapl_cli.commands.best import Best, read_best
from uniapl_cli.training.policy import save_folder


@pytest.fixture
def keep(tmp_path, new_policy, tokenizer):
    """keep(values, way, ...): considers a value a step and returns the step of the best."""

    def make(values, way="higher", first=0, steps=100):
        def save(row, texts):
            save_folder(tmp_path / "best", new_policy(row["step"]).model, tokenizer, "auto", texts)

        best = Best(tmp_path / "best", "m", way, steps, save)
        for step, value in enumerate(values, first):
            best.consider(step, {} if value is None else {"m": value})
        return read_best(tmp_path / "best")

    return make


def test_higher_or_lower_and_of_equals_the_earliest(keep, tmp_path):
    assert keep([0.1, 0.5, 0.5, 0.2])["step"] == 1
    (tmp_path / "best" / "best.json").unlink()
    assert keep([3.0, 1.0, 1.0, 2.0], "lower")["step"] == 1


def test_what_is_no_number_is_not_best(keep, caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        assert keep([float("nan"), 0.1, None, float("inf"), 0.0])["step"] == 1
    assert len(caplog.messages) == 3


def test_the_same_steps_again_change_nothing(keep, tmp_path):
    keep([0.1, 0.4, 0.3])
    weights = (tmp_path / "best" / "model.safetensors").stat().st_mtime_ns
    assert keep([0.4, 0.3], first=1)["step"] == 1
    assert (tmp_path / "best" / "model.safetensors").stat().st_mtime_ns == weights


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.safetensors", "{"),
        ("best.json", "{"),
        ("best.json", "[]"),
        ("best.json", '{"step": 0, "value": 0.9}'),
        ("best.json", '{"step": true, "metric": "m", "value": 0.9}'),
    ],
)
def test_a_damaged_one_is_none(name, text, keep, tmp_path):
    keep([0.9])
    (tmp_path / "best" / name).write_text(text)
    assert read_best(tmp_path / "best") is None
    assert keep([0.2], first=1)["step"] == 1


def test_one_from_behind_the_end_of_a_shorter_run_gives_way(keep, tmp_path):
    keep([0.9], first=80)
    assert keep([0.2], first=60, steps=60)["step"] == 60
    assert json.loads((tmp_path / "best" / "best.json").read_text())["value"] == 0.2
