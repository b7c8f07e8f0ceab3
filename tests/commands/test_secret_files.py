"""No file that a verb writes has a secret in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.teacher_gen import provenance
from uniapl_cli.errors import RunError

SECRET = "hunter2-hunter2"
EXTRA = "teacher.server.extra={api_key: '${oc.env:UNIAPL_TEST_SECRET}'}"


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIAPL_TEST_SECRET", SECRET)
    monkeypatch.setattr("uniapl_cli.errors._SECRETS", set())


def test_no_file_of_a_run_has_a_secret(train_tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = f"discriminator.extra={{token: {SECRET}}}"
    monkeypatch.setattr(sys, "argv", ["uniapl", "train", "sft", typed])
    run = train_tiny("sft", "run", "teacher.server.url=http://a/v1", EXTRA)
    for path in run.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_the_record_of_how_rows_were_made_has_none_either() -> None:
    config = load_config(None, ["teacher.server.url=http://a/v1", "teacher.path=x", EXTRA])
    assert SECRET not in json.dumps(provenance(config))
    assert "${oc.env:UNIAPL_TEST_SECRET}" in json.dumps(provenance(config))


def test_what_a_variable_decides_must_be_the_same_when_a_run_goes_on(
    train_tiny: Any, back_to_step_2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIAPL_TEST_RATE", "0.003")
    rate = ["optim.lr=${oc.env:UNIAPL_TEST_RATE}", "teacher.server.url=http://a/v1", EXTRA]
    run: Path = train_tiny("sft", "run", *rate)
    back_to_step_2(run)
    monkeypatch.setenv("UNIAPL_TEST_RATE", "0.004")
    with pytest.raises(RunError) as caught:
        train_tiny("sft", "run", *rate)
    assert caught.value.key == "optim.lr"
    monkeypatch.setenv("UNIAPL_TEST_RATE", "0.003")
    monkeypatch.setenv("UNIAPL_TEST_SECRET", "another-one")
    train_tiny("sft", "run", *rate)
