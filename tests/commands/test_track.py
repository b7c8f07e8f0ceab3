"""What trackers are told of a run, and `uniapl track` for runs that have ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands import track as tracks
from uniapl_cli.commands.track import check_trackers, facts, track
from uniapl_cli.config.render import to_yaml
from uniapl_cli.errors import ConfigError, RunError, UniAPLError
from uniapl_cli.monitoring.trackers import tracker
from uniapl_cli.runs.directory import RunDirectory

PLUGIN = Path(__file__).parents[1] / "plugins/files/my_tracker.py"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run of two steps that was stopped; its servers want a key."""
    monkeypatch.setenv("MY_KEY", "hunter2-in-a-variable")
    run = RunDirectory(tmp_path / "study/run")
    run.path.mkdir(parents=True)
    settings = (
        "model.path=/models/base-1.5B", "run.dir=x", "training.steps=2",
        "teacher.server.url=http://127.0.0.1:1/v1",
        "teacher.server.extra={api_key: hunter2, other: '${oc.env:MY_KEY}', top_k: 3, "
        "proxy: 'http://me:hunter2@127.0.0.1:2'}",
    )  # fmt: skip
    run.write("config.yaml", to_yaml(load_config(None, settings, "sft")))
    run.write("environment.json", '{"uniapl": "1", "command": ["train"]}')
    run.log({"step": 1, "loss": 0.5})
    run.log({"step": 2, "loss": 0.25})
    run.sample([{"step": 1, "source": "rollouts", "response": "So."}])
    return run


def test_a_tracker_is_told_all_but_secrets(run: RunDirectory) -> None:
    told = facts(run, "an-id")
    assert (told.id, told.name, told.tags) == ("an-id", "study-run", ["sft", "base-1.5B"])
    assert "hunter2" not in json.dumps(told.config)
    server = told.config["teacher"]["server"]
    assert server["extra"]["proxy"] == "http://(hidden)@127.0.0.1:2"
    assert server["url"] == "http://127.0.0.1:1/v1" and server["extra"]["top_k"] == 3
    assert told.config["environment"] == {"uniapl": "1", "command": ["train"]}
    assert told.config["optim"]["lr"]["value"] == 1e-6


class Noting:
    """Takes TensorBoard's place, which need not be installed."""

    made: list[Noting] = []

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.made.append(self)

    def __getattr__(self, name: str) -> Any:
        return lambda *call: self.calls.append((name, *call)) or 0.0


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> list[Noting]:
    monkeypatch.setattr(Noting, "made", [])
    monkeypatch.setattr(tracker, "find_spec", lambda name: True)
    monkeypatch.setattr(tracks.trackers, "bind", lambda options: Noting)
    return Noting.made


def test_what_is_missing_is_sent_once(run: RunDirectory, noting: list[Noting]) -> None:
    whole = {"metrics": 2, "samples": 1}
    assert track(run.path, ["trackio"]) == {"trackio": whole}
    run.log({"step": 3, "loss": 0.125})
    assert track(run.path, ["trackio"]) == {"trackio": {**whole, "metrics": 3}}
    first, second = noting
    assert first.calls[1:] == [
        ("log", 1, {"loss": 0.5}),
        ("log", 2, {"loss": 0.25}),
        ("samples", 1, "rollouts", [{"response": "So."}]),
        ("flush",),
        ("finish", "stopped", 2),
    ]
    assert second.calls[1:] == [
        ("log", 3, {"loss": 0.125}), ("flush",), ("finish", "stopped", 3),
    ]  # fmt: skip
    assert first.calls[0][1].id == second.calls[0][1].id


def test_json_alone_goes_to_stdout(run: RunDirectory, noting: list[Noting]) -> None:
    command = ["track", str(run.path), "--to", "trackio", "--to", "wandb", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    sent = {"metrics": 2, "samples": 1}
    assert json.loads(done.stdout) == {
        "run": str(run.path),
        "sent to step": {"trackio": sent, "wandb": sent},
    }
    assert len(noting) == 2


def test_what_cannot_be_tracked_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        track(tmp_path)
    assert caught.value.got == str(tmp_path)
    with pytest.raises(RunError) as caught:
        track(run.path)  # its config has none
    assert "tensorboard" in caught.value.allowed
    with pytest.raises(UniAPLError) as unknown:
        track(run.path, ["wanb"])
    assert unknown.value.suggestion == "wandb"


def test_a_config_that_is_damaged_is_named(run: RunDirectory) -> None:
    with run.config.open("a") as file:
        file.write("method: [\n")
    with pytest.raises(UniAPLError) as caught:
        track(run.path, ["tensorboard"])
    assert caught.value.file == str(run.config)


def test_a_tracker_that_fails_is_one_line(
    run: RunDirectory, noting: list[Noting], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("down\nand out")

    monkeypatch.setattr(Noting, "start", fail, raising=False)
    with pytest.raises(RunError) as caught:
        track(run.path, ["wandb"])
    assert caught.value.got == "wandb" and "down" in caught.value.problem
    assert "and out" not in caught.value.problem


def test_a_missing_package_is_told_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "find_spec", lambda name: None)
    config = load_config(None, ["run.trackers=[tensorboard]"], "sft")
    with pytest.raises(ConfigError) as caught:
        check_trackers(config)
    assert caught.value.key == "run.trackers" and caught.value.got == "tensorboard"


def test_options_are_names_or_a_map() -> None:
    config = load_config(None, ["run.trackers={wandb: {project: mine}, tensorboard: {}}"], "sft")
    assert list(config.run.trackers) == ["wandb", "tensorboard"]
    assert getattr(config.run.trackers["wandb"], "project", None) == "mine"
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["run.trackers=[tensorbord]"], "sft")
    assert caught.value.suggestion == "tensorboard"


@pytest.mark.slow
def test_a_tracked_run_is_the_same_run(tmp_path: Path, tiny_data: Any) -> None:
    """Also: a resume goes on in the same tracked run, which sees each step once."""

    def train(name: str, steps: int, *more: str) -> Path:
        words = [
            "train", "grpo", "model.path=tiny:base", f"data.prompts={tiny_data['eight']}",
            f"run.dir={name}", f"training.steps={steps}", "sampling.max_new_tokens=8",
            "sources.rollouts.prompts_per_step=2", "sources.rollouts.num_generations=2",
            "run.device=cpu", "run.threads=1", "run.sample_every=1", "run.save_every=1",
            "optim.lr=0.001", "--plugin", str(PLUGIN), *more,
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "uniapl_cli", *words], capture_output=True, text=True,
            cwd=tmp_path, env=os.environ,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return tmp_path / name

    plain = train("plain", 3)
    shown = train("shown", 2, "run.trackers=[notebook]")
    train("shown", 3, "run.trackers={notebook: {metric: grad_norm}}")
    weights = [(run / "final/model.safetensors").read_bytes() for run in (plain, shown)]
    assert weights[0] == weights[1]
    lines = (shown / "notebook.txt").read_text().splitlines()
    identity = json.loads((shown / "trackers.json").read_text())["notebook"]["id"]
    assert lines[0] == f"{identity} from 0" and f"{identity} from 2" in lines
    assert lines[-1] == "finished 3"
    assert [line.split()[0] for line in lines if "rollouts" in line] == ["1", "2", "3"]
    logged = [json.loads(line) for line in (shown / "metrics.jsonl").open()]
    assert f"1 {logged[0]['loss']}" in lines and f"3 {logged[2]['grad_norm']}" in lines
