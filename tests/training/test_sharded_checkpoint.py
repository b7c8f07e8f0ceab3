"""Any number of ranks goes on from what any other number has saved; nothing in it is executed."""

import errno
import json
import logging
import os
import pickle
import shutil
import signal
import struct
import time

import pytest
import torch
from forked_ranks import AVERAGED, TWO, Trained, alone, run
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from uniapl_cli.errors import RunError, TrainingError
from uniapl_cli.outputs import OutputError
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training import checkpoint, sharded
from uniapl_cli.training.manifest import sums_of, write_manifest

ROUNDING = 1e-6


def equal(first, second):
    return first.keys() == second.keys() and all(first[n].equal(second[n]) for n in first)


def near(first, second):
    return all((first[n] - second[n]).abs().max() < ROUNDING for n in first)


def begun(ranks, folder, optimizer="adamw", file_bytes=2**30):
    """Train, save, go on; return everything as it was saved and as it was later."""
    sharded.FILE_BYTES = file_bytes
    trained = Trained(ranks, folder, optimizer)
    trained.train(2)
    trained.save(2)
    saved = trained.tensors()
    trained.train(2)
    return saved, trained.tensors()


def resumed(ranks, folder, optimizer="adamw"):
    """Resume what `begun` has saved, as another that had begun otherwise; go on."""
    trained = Trained(ranks, folder, optimizer, seed=1)
    if optimizer == "adamw":
        trained.train(1)
    assert trained.resume() == 2 and trained.stream.state_dict()["drawn"] == 4
    found = trained.tensors()
    trained.train(2)
    return found, trained.tensors()


@pytest.mark.parametrize("optimizer", ["adamw", "muon", TWO, AVERAGED])
def test_as_many_ranks_go_on_to_the_bit_and_one_process_within_rounding(tmp_path, optimizer):
    here, there = run(2, begun, tmp_path, optimizer)
    saved, later = here
    assert equal(saved, there[0]) and not equal(saved, later)
    assert any(name.endswith(":exp_avg_sq") for name in saved)
    assert {float(value) for name, value in saved.items() if name.endswith(":step")} == {
        1.0 if optimizer == TWO else 2.0
    }
    for found, after in run(2, resumed, tmp_path, optimizer):
        assert equal(found, saved) and equal(after, later)
    trained = alone(tmp_path, optimizer=optimizer, seed=1)
    assert trained.resume() == 2
    assert equal(trained.tensors(), saved)
    trained.train(2)
    # Muon computes in bfloat16, whose products are another's where a matrix is put together.
    assert near(trained.tensors(), later) or optimizer == "muon"


def test_four_write_what_two_read_and_one(tmp_path):
    """Two of the four hold nothing of some weights; each writes several files."""
    saved, later = run(4, begun, tmp_path, "adamw", 10_000)[0]
    for found, after in run(2, resumed, tmp_path):
        assert equal(found, saved) and near(after, later)
    assert len(list((tmp_path / "step-00000002").glob("*.safetensors"))) > 8
    trained = alone(tmp_path)
    trained.resume()
    assert equal(trained.tensors(), saved)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_what_one_process_wrote_is_read_by_many(tmp_path, optimizer):
    one = alone(tmp_path, optimizer=optimizer)
    one.train(2)
    one.save(2)
    saved = one.tensors()
    one.train(2)
    for found, after in run(2, resumed, tmp_path, optimizer):
        assert equal(found, saved)
        assert near(after, one.tensors()) or optimizer == "muon"


def untouched(ranks, folder):
    trained = Trained(ranks, folder, seed=0)
    trained.save(1)
    return trained.tensors()


def test_an_optimiser_that_has_not_stepped_has_no_state(tmp_path):
    saved, _ = run(2, untouched, tmp_path)
    trained = alone(tmp_path, seed=1)
    assert trained.resume() == 1
    assert equal(trained.tensors(), saved) and len(trained.optimizer.parts[0][0].state) == 0


def test_an_optimiser_whose_state_has_other_shapes_is_refused(tmp_path):
    trained = alone(tmp_path)
    trained.train(1)
    weight = next(iter(trained.state.trained.values()))
    trained.optimizer.parts[0][0].state[weight]["absmax"] = torch.ones(3)
    with pytest.raises(TrainingError) as caught:
        sharded.parts_of(trained.state)
    assert caught.value.got == "absmax"


def whole(ranks, folder):
    trained = Trained(ranks, folder)
    trained.train(1)
    trained.save(1)
    ranks.gather(None, "the first has written")
    other = Trained(ranks, folder, seed=1)
    assert other.resume() == 1
    return equal(other.tensors(), trained.tensors())


def test_of_weights_that_are_not_sharded_the_first_rank_writes_all(tmp_path):
    assert run(2, whole, tmp_path, sharded=False) == [True, True]
    names = {path.name for path in (tmp_path / "step-00000001").iterdir()}
    assert names == {"model.safetensors", "optimizer.pt", "state.json", "manifest.json"}


def beside(ranks, folder):
    """Save beside the steps; the write of the first waits for a step."""
    trained = Trained(ranks, folder)
    with trained.checkpoints.writer as writer:
        writer.beside, write = True, sharded.write

        def slowly(*arguments):
            while not (folder / "on").exists():
                time.sleep(0.01)
            write(*arguments)

        sharded.write = slowly
        trained.train(1)
        trained.save(1)
        saved = trained.tensors()
        trained.train(1)
        writer.check()
        written = trained.checkpoints.existing()
        ranks.gather(None, "a step is done")
        (folder / "on").touch()
        trained.save(2)
        last = trained.tensors()
        trained.train(1)
    return saved, last, written


def test_steps_go_on_while_all_ranks_write_the_state_of_before(tmp_path):
    saved, last, written = run(2, beside, tmp_path)[0]
    assert written == []
    trained = alone(tmp_path, seed=1)
    assert trained.resume() == 2 and equal(trained.tensors(), last)
    step = tmp_path / "step-00000002"
    step.rename(tmp_path / "other")
    assert trained.resume() == 1 and equal(trained.tensors(), saved)


def failing(ranks, folder, later):
    """The second rank's disk is full; return what each raises, and where."""
    trained = Trained(ranks, folder)
    trained.train(1)
    if ranks.rank == 1:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        where = (sharded, "sums_of") if later else (sharded.HuggingFaceStorageWriter, "write_data")
        setattr(*where, full)
    with pytest.raises(OutputError) as now:
        trained.save(1)
    trained.checkpoints.writer.beside = True
    steps = 0
    with pytest.raises(OutputError) as then, trained.checkpoints.writer as writer:
        trained.save(1)
        while steps < 500:
            writer.check()
            trained.train(1)
            steps += 1
    return str(now.value), str(then.value), steps


@pytest.mark.parametrize("later", [False, True])
def test_what_one_rank_cannot_write_is_told_on_all_after_the_same_step(tmp_path, later):
    first, second = run(2, failing, tmp_path, later)
    assert first[2] == second[2] and 0 < first[2] < 500
    for text in (*first[:2], *second[:2]):
        assert "step-00000001" in text and "no space left on device" in text
    assert list(tmp_path.iterdir()) == []


def not_finite(ranks, folder):
    trained = Trained(ranks, folder)
    if ranks.rank == 1:
        trained.model.model.embed_tokens.weight.to_local().data[-1] = float("nan")
    with pytest.raises(TrainingError) as caught:
        trained.save(1)
    return caught.value.got


def test_all_refuse_what_one_of_them_finds_not_finite(tmp_path):
    assert run(2, not_finite, tmp_path) == ["model.embed_tokens.weight"] * 2
    assert list(tmp_path.iterdir()) == []


def killed(ranks, folder, victims, name):
    """Save, and kill some ranks in the next save, as they come to a function."""
    trained = Trained(ranks, folder)
    trained.train(1)
    trained.save(1)
    if ranks.rank in victims:
        setattr(sharded, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    trained.train(1)
    with pytest.raises(RunError) as caught:
        trained.save(2)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "victims"),
    [
        ("save", (1,)),
        ("save", (0, 1)),
        ("sums_of", (0,)),
        ("sums_of", (1,)),
        ("write_manifest", (0,)),
    ],
)
def test_a_kill_leaves_the_one_before(tmp_path, name, victims):
    run_directory = RunDirectory(tmp_path)
    results = run(2, killed, run_directory.checkpoints, victims, name)
    for rank, result in enumerate(results):
        assert (result is None) if rank in victims else "another rank has ended" in result
    if 0 not in victims:
        assert [path.name for path in run_directory.checkpoints.iterdir()] == ["step-00000001"]
    run_directory.open()
    assert [path.name for path in run_directory.checkpoints.iterdir()] == ["step-00000001"]
    run_directory.close()
    assert alone(run_directory.checkpoints).resume() == 1


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Two checkpoints of two ranks."""
    folder = tmp_path_factory.mktemp("sharded")
    run(2, two, folder)
    return folder


def two(ranks, folder):
    trained = Trained(ranks, folder)
    for step in (1, 2):
        trained.train(1)
        trained.save(step)


@pytest.fixture
def folder(template, tmp_path, monkeypatch):
    shutil.copytree(template, tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "checkpoints"


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch ran",))


def poison(path):
    path.write_bytes(pickle.dumps({"state": Malicious()}))


def poison_as_torch(path):
    torch.save({"state": Malicious()}, path)


FILES = [
    "manifest.json",
    "shard-00001-model-00001-of-00001.safetensors",
    "shard-00002-model-00001-of-00001.safetensors",
    "state.json",
]


@pytest.mark.parametrize("damage", [flip, poison, poison_as_torch, lambda path: path.unlink()])
@pytest.mark.parametrize("file", FILES)
def test_the_one_before_a_damaged_one_is_used(folder, file, damage, caplog):
    assert files(folder / "step-00000002") == FILES
    damage(folder / "step-00000002" / file)
    with caplog.at_level(logging.WARNING, "uniapl"):
        assert alone(folder).resume() == 1
    assert "step-00000002 is damaged" in caplog.text
    assert files(folder) == ["damaged-step-00000002", "step-00000001"]
    assert not (folder.parent / "ran").exists()


def test_ranks_agree_on_the_one_before_a_damaged_one(folder):
    flip(folder / "step-00000002" / FILES[2])
    assert run(2, resumes, folder) == [1, 1]
    assert files(folder) == ["damaged-step-00000002", "step-00000001"]


def resumes(ranks, folder):
    return Trained(ranks, folder, seed=1).resume()


def header(change):
    """Replace the header of the second file."""

    def act(folder):
        path = folder / FILES[2]
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        text = change(json.loads(content[8 : 8 + length]))
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])

    return act


def info(change):
    """Replace what the second file's header says of where its tensors are in the whole."""

    def act(folder):
        path = folder / FILES[2]
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        said = change(json.loads(metadata["DCP_SHARDING_INFO"]))
        save_file(tensors, path, {**metadata, "DCP_SHARDING_INFO": said})

    return act


def moved(said):
    return json.dumps(
        {name: {"saved_offsets": [0 for _ in at["saved_offsets"]]} for name, at in said.items()}
    )


def contents(change):
    def act(folder):
        path = folder / "state.json"
        state = json.loads(path.read_text())
        change(state)
        path.write_text(json.dumps(state))

    return act


def rename_group(state):
    state["optimizer"][0][0]["params"][0] = "other"


HOSTILE = {
    "pickle for weights": lambda folder: poison(folder / FILES[1]),
    "pickle by torch": lambda folder: poison_as_torch(folder / FILES[1]),
    "pickle for the state": lambda folder: poison(folder / "state.json"),
    "long header": lambda folder: (folder / FILES[2]).write_bytes(b"\xff" * 64),
    "brackets": header(lambda _: b"[" * 100_000),
    "a list": header(lambda _: b"[]"),
    "no header": lambda folder: (folder / FILES[2]).write_bytes(b""),
    "offsets beyond": header(
        lambda h: json.dumps(
            {n: {**t, "data_offsets": [0, 10**15]} if "shape" in t else t for n, t in h.items()}
        ).encode()
    ),
    "a huge shape": header(
        lambda h: json.dumps(
            {n: {**t, "shape": [2**62, 2**62]} if "shape" in t else t for n, t in h.items()}
        ).encode()
    ),
    "info brackets": info(lambda _: "[" * 100_000),
    "info of nothing": info(lambda _: "{}"),
    "info of others": info(moved),
    "info of text": info(lambda s: json.dumps({n: {"saved_offsets": "ab"} for n in s})),
    "info negative": info(lambda s: json.dumps({n: {"saved_offsets": [-1, -1]} for n in s})),
    "no optimiser": contents(lambda state: state.pop("optimizer")),
    "other groups": contents(rename_group),
    "groups of text": contents(lambda state: state.update(optimizer="text")),
    "first half of it": lambda folder: (folder / FILES[1]).unlink(),
    "other half of it": lambda folder: (folder / FILES[2]).unlink(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_the_sums_do_not_show_is_told_in_one_line_and_not_executed(folder, name):
    newest = folder / "step-00000002"
    HOSTILE[name](newest)
    poison(newest / ".metadata")  # what torch's own reader would unpickle
    write_manifest(newest, sums_of(newest, [n for n in files(newest) if n in FILES[1:]]))
    trained = alone(folder, seed=1)
    with pytest.raises(RunError) as caught:
        trained.resume()
    assert not (folder.parent / "ran").exists()
    assert str(newest) in caught.value.problem and len(str(caught.value)) < 500


def test_a_file_that_is_not_in_the_manifest_is_damage(folder):
    newest = folder / "step-00000002"
    save_file({"model.norm.weight": torch.ones(8)}, newest / "extra.safetensors")
    assert alone(folder).resume() == 1


def test_the_payload_would_run_where_it_was_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    poison(tmp_path / ".metadata")
    pickle.loads((tmp_path / ".metadata").read_bytes())
    assert (tmp_path / "ran").exists()


def test_a_model_of_other_weights_is_refused(folder):
    trained = alone(folder)
    del trained.state.trained["model.norm.weight"]
    with pytest.raises(RunError) as caught:
        trained.resume()
    assert caught.value.got == "model.norm.weight"


def test_the_state_is_readable(folder):
    state = json.loads((folder / "step-00000002" / "state.json").read_text())
    (group,), streams = state["optimizer"][0], state["streams"]
    assert state["version"] == 3 and state["step"] == 2 and streams["rows"]["drawn"] == 4
    assert (group["lr"], group["betas"], len(group["params"])) == (0.01, [0.9, 0.99], 13)
    assert checkpoint.step_of(folder / "step-00000002") == 2
