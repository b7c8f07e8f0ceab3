"""A run's folder has one owner, and what is logged in it can be rewound."""

import json
import shutil
import subprocess
import sys

import numpy
import pytest
from safetensors.numpy import save_file

from uniapl_cli.errors import RunError
from uniapl_cli.runs.directory import VERSION, RunDirectory


@pytest.fixture
def run(tmp_path):
    opened = RunDirectory(tmp_path / "new" / "run")
    opened.open()
    return opened


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_metrics_and_samples_are_appended(run):
    run.log({"step": 1, "loss": 0.5})
    run.log({"step": 2, "loss": 0.25})
    run.sample({"step": 2, "response": text} for text in "ab")
    assert run.logged() == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]
    assert [row["response"] for row in lines(run.samples)] == ["a", "b"]


def test_each_line_of_metrics_carries_its_version(run):
    run.log({"step": 1, "loss": 0.5})
    assert lines(run.metrics) == [{"version": VERSION, "step": 1, "loss": 0.5}]


@pytest.mark.parametrize("version", [{}, {"version": 1}, {"version": VERSION + 1}])
def test_lines_of_another_version_are_refused(run, version):
    run.log({"step": 1})
    with run.metrics.open("a") as file:
        file.write(json.dumps({**version, "step": 2}) + "\n")
    with pytest.raises(RunError) as caught:
        run.logged()
    assert (caught.value.file, caught.value.line) == (str(run.metrics), 2)
    assert (caught.value.got, caught.value.allowed) == (version.get("version"), (str(VERSION),))


def test_rewinding_drops_what_came_after_the_step(run):
    for step in range(1, 6):
        run.log({"step": step})
        run.sample([{"step": step, "i": i} for i in range(2)])
    run.rewind(3)
    assert [row["step"] for row in lines(run.metrics)] == [1, 2, 3]
    assert [row["step"] for row in lines(run.samples)] == [1, 1, 2, 2, 3, 3]
    run.rewind(0)
    assert run.metrics.read_bytes() == run.samples.read_bytes() == b""


def test_rewinding_drops_a_line_torn_anywhere(run):
    run.log({"step": 1})
    whole = run.metrics.read_bytes()
    run.log({"step": 1, "t": "é東"})
    both = run.metrics.read_bytes()
    for size in range(len(whole), len(both)):
        run.metrics.write_bytes(both[:size])
        run.rewind(1)
        assert run.metrics.read_bytes() == whole


@pytest.mark.parametrize("text", ["a\u2028b", "a\u0085b", "a\x0bb\x0cc\x1cd", "a\r\nb", "é東😀"])
def test_rewinding_keeps_every_text_as_it_is(run, text):
    run.sample([{"step": 1, "response": text}])
    before = run.samples.read_bytes()
    run.rewind(1)
    assert run.samples.read_bytes() == before


def test_rewinding_an_empty_run_writes_nothing(run):
    run.rewind(0)
    assert not run.metrics.exists()
    assert not run.samples.exists()


def test_a_second_owner_is_refused(run):
    with pytest.raises(RunError) as caught:
        RunDirectory(run.path).open()
    assert (caught.value.key, caught.value.got) == ("run.dir", str(run.path))


def test_one_that_is_closed_may_be_opened_again(run):
    """Whoever keeps the object, as the traceback of a notebook's cell does."""
    run.close()
    RunDirectory(run.path).open()


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    code = (
        "import sys, pathlib; from uniapl_cli.runs.directory import RunDirectory;"
        "run = RunDirectory(pathlib.Path(sys.argv[1])); run.open(); print('open', flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(RunError):
            RunDirectory(tmp_path).open()
        other.stdin.close()
        other.wait()
    RunDirectory(tmp_path).open()


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as caught:
        RunDirectory(tmp_path / name).open()
    assert (caught.value.key, caught.value.got) == ("run.dir", str(tmp_path / name))


LINES = {
    "torn, and written on": b'{"version": 2, "st\n',
    "no object": b"[1, 2]\n",
    "no step": b'{"version": 2, "loss": 1}\n',
    "a step that is none": b'{"version": 2, "step": true}\n',
    "a text for a step": b'{"version": 2, "step": "3"}\n',
    "no text": b"\xff\xfe\n",
    "bytes of nothing": b"\0\0\0\n",
    "nothing": b"\n",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_that_is_no_steps_is_named_and_stays(run, line):
    for path in (run.metrics, run.samples):
        path.write_bytes(b'{"version": 2, "step": 1}\n' + line + b'{"version": 2, "step": 3}\n')
    before = run.metrics.read_bytes()
    for act in (run.logged, lambda: run.rewind(3)):
        with pytest.raises(RunError) as caught:
            act()
        assert (caught.value.file, caught.value.line) == (str(run.metrics), 2)
    run.metrics.unlink()
    with pytest.raises(RunError) as caught:
        run.rewind(3)
    assert (caught.value.file, caught.value.line) == (str(run.samples), 2)
    assert run.samples.read_bytes() == before


def test_a_step_that_is_there_twice_is_an_error(run):
    for step in (1, 2, 2):
        run.log({"step": step})
    with pytest.raises(RunError) as caught:
        run.logged()
    assert caught.value.got == 2


def test_metrics_that_are_a_folder_are_an_error(run):
    run.metrics.mkdir()
    with pytest.raises(RunError) as caught:
        run.logged()
    assert str(run.metrics) in str(caught.value)


def test_what_a_killed_process_had_begun_to_write_is_deleted(run):
    run.checkpoints.mkdir()
    for name in (".metrics.jsonl.tmp", "kept.tmp", "checkpoints/.a.tmp", "checkpoints/step-1"):
        (run.path / name).touch()
    (run.path / ".final.tmp").mkdir()
    (run.path / ".final.tmp" / "model.safetensors").touch()
    (run.path / ".linked.tmp").symlink_to(run.checkpoints)
    run._lock.close()
    RunDirectory(run.path).open()
    left = sorted(path.name for path in run.path.rglob("*"))
    assert left == [".lock", "checkpoints", "kept.tmp", "step-1"]


@pytest.fixture
def final(run):
    """The run's final model, whole."""
    run.final.mkdir()
    (run.final / "config.json").write_text("{}")
    save_file({"a": numpy.zeros(8)}, run.final / "model.safetensors")
    return run.final


def test_a_run_is_finished_when_its_final_model_is_there(run, final):
    assert run.finished and run.damage is None
    shutil.rmtree(final)
    assert not run.finished and run.damage is None


@pytest.mark.parametrize("size", [0, 4, 40, -1, None])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_final_model_that_is_not_whole_is_no_end(run, final, name, size):
    data = (final / name).read_bytes()
    (final / name).unlink()
    if size is not None and size < len(data):
        (final / name).write_bytes(data[:size])
    assert not run.finished and str(final / name) in run.damage


def test_a_final_model_may_be_in_shards(run, final):
    (final / "model.safetensors").rename(final / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (final / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not run.finished and "model-2.safetensors" in run.damage
    save_file({"b": numpy.zeros(8)}, final / "model-2.safetensors")
    assert run.finished
    for damaged in ("{", "[]", '{"weight_map": [1]}', "{}"):
        (final / "model.safetensors.index.json").write_text(damaged)
        assert not run.finished


def test_small_files_are_written_whole(run):
    run.write("config.yaml", "seed: é\n")
    assert run.config.read_text(encoding="utf-8") == "seed: é\n"


@pytest.mark.parametrize("name", ["step-²", "step-", "step-x", "step--1"])
def test_a_folder_that_is_named_like_a_checkpoint_is_none(run, name):
    (run.checkpoints / name).mkdir(parents=True)
    (run.checkpoints / "step-00000002").mkdir()
    assert run.newest_step == 2
