"""A checkpoint is whole or it is not used, and it holds all that the next steps depend on."""

import json
import logging
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from uniapl_cli.errors import RunError, TrainingError
from uniapl_cli.training import plain
from uniapl_cli.training.checkpoint import Checkpoints
from uniapl_cli.training.manifest import sums_of, write_manifest

FILES = ["model.safetensors", "optimizer.pt", "state.json", "manifest.json"]


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_without_checkpoints_training_starts_at_the_beginning(new_parts, checkpoints):
    parts = new_parts()
    before = parts.weights()
    assert parts.resume(checkpoints) == 0
    assert same(parts.weights(), before)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resume_restores_everything(new_parts, checkpoints, optimizer):
    one = new_parts(0, optimizer).train(3)
    one.save(checkpoints, 3)
    other = new_parts(1, optimizer).train(1)
    assert other.resume(checkpoints) == 3
    assert same(other.weights(), one.weights())
    assert other.stream.state_dict() == one.stream.state_dict()
    assert same(other.train(2).weights(), one.train(2).weights())


def test_tied_weights_stay_tied(new_parts, checkpoints):
    one, other = new_parts(0).train(), new_parts(1)
    one.save(checkpoints, 1)
    other.resume(checkpoints)
    model = other.policy.model
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_the_newest_is_used(new_parts, checkpoints):
    parts = new_parts()
    for step in (9, 10, 100):
        parts.train().save(checkpoints, step)
    assert new_parts(1).resume(checkpoints) == 100


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_only_the_newest_are_kept(new_parts, tmp_path, keep):
    checkpoints, parts = Checkpoints(tmp_path, keep), new_parts()
    for step in (2, 4, 6):
        parts.save(checkpoints, step)
    kept = [f"step-{step:08d}" for step in (6, 4, 2)][:keep]
    assert [path.name for path in checkpoints.existing()] == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def forget(path):
    path.write_text("{}")


def bury(path):
    path.unlink()
    path.mkdir()


def nest(path):
    path.write_text("[" * 100_000)


WAYS = (truncate, flip, empty, remove, bury, nest)
DAMAGES = [(file, damage) for file in FILES for damage in WAYS]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "damage"), [*DAMAGES, ("manifest.json", forget)])
def test_the_one_before_a_damaged_one_is_used_and_the_damage_reported(
    new_parts, checkpoints, caplog, file, damage
):
    parts = new_parts().train()
    parts.save(checkpoints, 1)
    whole = parts.weights()
    parts.train().save(checkpoints, 2)
    damage(checkpoints.folder / "step-00000002" / file)
    other = new_parts(1)
    with caplog.at_level(logging.WARNING, "uniapl"):
        assert other.resume(checkpoints) == 1
    assert same(other.weights(), whole)
    assert "step-00000002 is damaged" in caplog.text
    # The step comes again, and its checkpoint takes the damaged one's place.
    other.train().save(checkpoints, 2)
    assert new_parts(2).resume(checkpoints) == 2


def test_when_all_are_damaged_nothing_is_overwritten(new_parts, checkpoints):
    parts = new_parts()
    for step in (1, 2):
        parts.save(checkpoints, step)
        flip(checkpoints.folder / f"step-{step:08d}" / "model.safetensors")
    for _ in range(2):  # the same command again must not start anew either
        with pytest.raises(RunError) as caught:
            new_parts(1).resume(checkpoints)
        assert caught.value.got == ["step-00000002", "step-00000001"]


def weights_of(change):
    """Save other weights."""

    def damage(folder):
        file = folder / "model.safetensors"
        save_file({name: change(tensor) for name, tensor in load_file(file).items()}, file)

    return damage


def text_of(name, text):
    return lambda folder: (folder / name).write_text(text)


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch ran",))


# Their sums are those of the manifest, as after a repair by hand.
REPAIRED = {
    "a row short": weights_of(lambda tensor: tensor[:-1].contiguous()),
    "one number": weights_of(lambda tensor: tensor.flatten()[:1].clone()),
    "a list": text_of("state.json", "[]"),
    "brackets": text_of("state.json", "[" * 100_000),
    "no streams": text_of("state.json", '{"version": 2, "step": 2}'),
    "a text": text_of("optimizer.pt", "weights"),
    "malicious": lambda folder: torch.save({"state": Malicious()}, folder / "optimizer.pt"),
    "no groups": lambda folder: torch.save({}, folder / "optimizer.pt"),
}


@pytest.mark.parametrize("repair", REPAIRED)
def test_what_the_sums_do_not_show_is_told_with_the_cure(
    new_parts, checkpoints, repair, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    parts = new_parts()
    for step in (1, 2):
        parts.train().save(checkpoints, step)
    newest = checkpoints.folder / "step-00000002"
    REPAIRED[repair](newest)
    write_manifest(newest, sums_of(newest, FILES[:3]))
    with pytest.raises(RunError) as caught:
        new_parts(1).resume(checkpoints)
    assert str(newest) in caught.value.problem and "Delete it" in caught.value.advice
    assert "weights_only" not in str(caught.value) and not (tmp_path / "ran").exists()
    shutil.rmtree(newest)
    assert new_parts(1).resume(checkpoints) == 1


def test_a_torn_write_is_ignored_and_written_over(new_parts, checkpoints):
    parts = new_parts().train()
    parts.save(checkpoints, 1)
    torn = checkpoints.folder / ".step-00000002.tmp"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    (torn / "rest").write_bytes(b"")
    assert new_parts(1).resume(checkpoints) == 1
    parts.train().save(checkpoints, 2)
    assert not torn.exists()
    assert sorted(path.name for path in checkpoints.existing()[0].iterdir()) == sorted(FILES)


def test_a_step_can_be_saved_again(new_parts, checkpoints):
    parts, other = new_parts().train(), new_parts(1)
    parts.save(checkpoints, 1)
    parts.train().save(checkpoints, 1)
    assert other.resume(checkpoints) == 1
    assert same(other.weights(), parts.weights())


def test_data_of_another_size_are_refused(new_parts, checkpoints):
    new_parts().train().save(checkpoints, 1)
    other = new_parts()
    other.stream.items = range(6)
    with pytest.raises(RunError) as caught:
        other.resume(checkpoints)
    assert (caught.value.got, caught.value.allowed) == (6, ("5",))


def test_the_state_is_readable(new_parts, checkpoints):
    new_parts().train(2).save(checkpoints, 2)
    state = json.loads((checkpoints.existing()[0] / "state.json").read_text())
    assert state == {"version": 2, "step": 2, "streams": {"rows": {"drawn": 4, "items": 5}}}


@pytest.mark.parametrize("version", [None, 1, 4])
def test_a_checkpoint_of_another_version_is_refused_and_changes_nothing(
    new_parts, checkpoints, monkeypatch, version
):
    monkeypatch.setattr(plain, "VERSION", version)
    new_parts().train().save(checkpoints, 1)
    monkeypatch.undo()
    other = new_parts(1)
    before = other.weights()
    with pytest.raises(RunError) as caught:
        other.resume(checkpoints)
    assert (caught.value.got, caught.value.allowed) == (version, ("2", "3"))
    assert same(other.weights(), before)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_weights_that_are_not_finite_are_never_saved(new_parts, checkpoints, value):
    parts = new_parts().train()
    parts.save(checkpoints, 1)
    name, weights = list(parts.policy.model.named_parameters())[-1]
    weights.data.view(-1)[-1] = float(value)
    with pytest.raises(TrainingError) as caught:
        parts.save(checkpoints, 2)
    assert caught.value.got == name
    assert [path.name for path in checkpoints.existing()] == ["step-00000001"]
