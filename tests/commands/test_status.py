"""`uniapl status` says of a run's directory what is there, and leaves it as it is."""

import fcntl
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.commands.status import RECENT, status
from uniapl_cli.errors import RunError
from uniapl_cli.runs.directory import RunDirectory


def seen(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


@pytest.fixture
def run(train_tiny):
    return train_tiny("grpo", "run")


def test_a_finished_run(run):
    before = seen(run)
    found = status(run)
    assert (found.state, found.step, found.steps, found.checkpoint) == ("finished", 4, 4, 4)
    assert found.method == "grpo"
    assert found.seconds_left is None
    assert (
        found.last["loss"] == json.loads((run / "metrics.jsonl").read_text().split("\n")[3])["loss"]
    )
    assert seen(run) == before


def test_a_stopped_run_says_from_where_it_goes_on(run, back_to_step_2):
    back_to_step_2(run)
    found = status(run)
    assert (found.state, found.step, found.checkpoint) == ("stopped", 4, 2)
    assert found.seconds_left is None


def test_a_final_model_that_is_not_whole(run):
    (run / "final" / "model.safetensors").write_bytes(b"")
    assert status(run).state == "damaged"


def test_a_running_one_has_an_end_in_sight(run, back_to_step_2):
    back_to_step_2(run)
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:3]) + lines[3][:40])
    with (run / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = status(run, now=(run / "metrics.jsonl").stat().st_mtime + 7)
        assert (found.state, found.step) == ("running", 3)
        assert found.quiet == pytest.approx(7)
        rows = [json.loads(line) for line in lines[:3]]
        mean = sum(row["seconds/sources"] + row["seconds/update"] for row in rows) / 3
        assert found.seconds_a_step == pytest.approx(mean)
        assert found.seconds_left == pytest.approx(mean)
    assert status(run).state == "stopped"


def test_the_time_left_is_that_of_the_newest_steps(run):
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    rows = [
        {**line, "step": step, "seconds/sources": 0.0, "seconds/update": 100.0 if step < 9 else 1.0}
        for step in range(1, 9 + RECENT)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert status(run).seconds_a_step == 1.0


def test_lines_without_times_and_clocks_that_differ_are_no_matter(run):
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    del line["seconds/update"]
    (run / "metrics.jsonl").write_text(json.dumps(line | {"loss": None, "kl": float("nan")}) + "\n")
    found = status(run, now=(run / "metrics.jsonl").stat().st_mtime - 3600)
    assert (found.seconds_a_step, found.quiet) == (None, 0)
    shown = CliRunner().invoke(app, ["status", str(run)])
    assert shown.exit_code == 0 and "None" in shown.stdout and "nan" in shown.stdout
    shown = CliRunner().invoke(app, ["status", str(run), "--json"])
    assert "kl" not in json.loads(shown.stdout)["runs"][0]["last"]


def test_a_reader_does_not_keep_a_run_from_starting(run):
    with (run / ".lock").open("r") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert not RunDirectory(run).locked
    RunDirectory(run).open()


def test_what_goes_wrong_is_said_again(run):
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    bad = {"rollouts/verifier/frac_reward_zero_std": 1.0, "rollouts/verifier/mean": 0.0}
    rows = [{**line, **bad, "step": step} for step in range(1, 40)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert any("reward" in warning for warning in status(run).warnings)


def test_a_discriminator_in_training_too(train_tiny):
    found = status(train_tiny("polar", "polar"))
    assert (found.state, found.step) == ("finished", found.steps)


@pytest.mark.parametrize("content", [None, "seed: 0\n"])
def test_what_is_no_run_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(RunError) as caught:
        status(tmp_path)
    assert caught.value.got == str(tmp_path)


def test_several_runs_are_lines_of_one_table(run, tmp_path):
    result = CliRunner().invoke(app, ["status", str(run), str(run)])
    assert result.exit_code == 0
    assert result.stdout.count("4/4") == 2
    found = CliRunner().invoke(app, ["status", str(run), "--json"])
    assert json.loads(found.stdout)["runs"][0]["state"] == "finished"
    assert CliRunner().invoke(app, ["status", str(Path(tmp_path) / "none")]).exit_code == 2
