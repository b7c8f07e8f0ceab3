"""What is written beside the steps is the state as it was, one at a time; its errors are told."""

import logging
import threading

import pytest
import torch

from uniapl_cli.errors import OutOfMemory
from uniapl_cli.outputs import OutputError
from uniapl_cli.ranks import Ranks
from uniapl_cli.runs.signals import Stopped
from uniapl_cli.training import writer as module
from uniapl_cli.training.checkpoint import Checkpoints
from uniapl_cli.training.staging import staged
from uniapl_cli.training.writer import Writer

CPU = torch.device("cpu")
PATIENCE = 30
REFUSAL = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def full(*_):
    raise OutputError("the disk is full")


class Slow:
    """A write that begins, and goes on when it is let."""

    def __init__(self):
        self.begun, self.let, self.wrote = threading.Event(), threading.Event(), []

    def __call__(self, state, go_on):
        self.begun.set()
        assert self.let.wait(PATIENCE)
        go_on()
        self.wrote.append(state["w"].tolist())


def test_a_copy_is_of_everything_and_stays_as_it_was():
    weights = torch.arange(6.0).view(2, 3)
    state = {"0": {"state": {0: {"step": torch.tensor(2.0), "m": weights.T}}, "groups": [(1, "a")]}}
    copy = staged(state)
    weights += 1
    assert copy["0"]["state"][0]["m"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert copy["0"]["state"][0]["step"] == 2 and copy["0"]["groups"] == [(1, "a")]
    assert copy["0"]["groups"] is not state["0"]["groups"]


def test_a_second_copy_takes_the_rooms_of_the_first_where_it_fits():
    first = staged({"same": torch.zeros(3), "grows": torch.zeros(3), "gone": torch.zeros(1)})
    state = {"same": torch.ones(3), "grows": torch.ones(4), "new": [torch.ones(2)]}
    second = staged(state, first)
    assert second["same"].data_ptr() == first["same"].data_ptr()
    assert second.keys() == state.keys()
    assert all(second[name].equal(state[name]) for name in ("same", "grows"))
    third = staged(state, second)
    assert third["new"][0].data_ptr() == second["new"][0].data_ptr() != state["new"][0].data_ptr()


def test_the_block_goes_on_while_the_state_of_before_is_written():
    weights, write = torch.zeros(2), Slow()
    with Writer(beside=True) as writer:
        writer.write({"w": weights}, CPU, write)
        assert write.begun.wait(PATIENCE)
        weights += 1
        assert write.wrote == []
        write.let.set()
        writer.write({"w": weights}, CPU, write)  # waits, as both have one copy
        assert write.wrote[0] == [0, 0]
    assert write.wrote == [[0, 0], [1, 1]]


def test_the_last_one_is_written_at_once():
    state, wrote = {"w": torch.zeros(2)}, []
    with Writer(beside=True) as writer:
        writer.write(state, CPU, lambda state, go_on: wrote.append(state), at_once=True)
        assert wrote == [state]


@pytest.mark.parametrize("beside", [False, None])
def test_where_there_is_no_memory_for_a_copy_it_is_written_at_once(beside, monkeypatch, caplog):
    monkeypatch.setattr(module, "spare_bytes", lambda: 15)
    weights, wrote = torch.zeros(2), []
    with caplog.at_level(logging.INFO, "uniapl"), Writer(beside) as writer:
        for _ in range(2):
            writer.write({"w": weights}, CPU, lambda state, go_on: wrote.append(state["w"]))
            assert wrote.pop() is weights
    assert len(caplog.messages) == (beside is None)


def test_a_copy_that_is_refused_is_done_without_unless_it_was_asked_for(monkeypatch, caplog):
    def refused(*_):
        raise REFUSAL

    monkeypatch.setattr(module, "staged", refused)
    state, wrote = {"w": torch.zeros(2)}, []
    with caplog.at_level(logging.INFO, "uniapl"), Writer(None) as writer:
        writer.write(state, CPU, lambda state, go_on: wrote.append(state))
        assert wrote == [state] and len(caplog.messages) == 1
    with pytest.raises(OutOfMemory) as caught, Writer(beside=True) as writer:
        writer.write(state, CPU, full)
    assert caught.value.key == "run.checkpoint_beside"


class Beside(Ranks):
    """One of two ranks; of the other one, what it says at each gathering."""

    def __init__(self, *says):
        self.says = [*says]

    def gather(self, part, doing):
        return [part, self.says.pop(0)]


@pytest.mark.parametrize("says", [((10, 15),), ((10, 99), OutOfMemory("refused"))])
def test_where_another_rank_has_no_memory_for_a_copy_all_write_at_once(says, caplog):
    weights, wrote, ranks = torch.zeros(2), [], Beside(*says)
    with caplog.at_level(logging.INFO, "uniapl"), Writer(None) as writer:
        for _ in range(2):
            writer.write(
                {"w": weights}, CPU, lambda state, go_on: wrote.append(state["w"]), ranks=ranks
            )
            assert wrote.pop() is weights
    assert len(caplog.messages) == 1 and ranks.says == []


def test_an_error_is_raised_when_all_ranks_have_written():
    ranks = Beside(None, False, True)
    with pytest.raises(OutputError), Writer(beside=True) as writer:
        writer.write({}, CPU, full, ranks=ranks)
        module.wait([writer._writing], PATIENCE)
        writer.check()  # the other one has not
        writer.check()
    assert ranks.says == []


def failed(writer):
    """Have a write fail; return once it has."""
    writer.write({}, CPU, full)
    module.wait([writer._writing], PATIENCE)


@pytest.mark.parametrize("then", [lambda w: w.write({}, CPU, Slow()), Writer.check, Writer.wait])
def test_an_error_is_raised_at_the_next_opportunity_and_once(then, caplog):
    with pytest.raises(OutputError), Writer(beside=True) as writer:
        failed(writer)
        then(writer)
    assert caplog.messages == []


def test_an_error_is_raised_at_the_end():
    with pytest.raises(OutputError), Writer(beside=True) as writer:
        writer.write({}, CPU, full)


def test_an_error_of_the_block_goes_first_and_that_of_writing_is_told(caplog):
    with pytest.raises(ZeroDivisionError), Writer(beside=True) as writer:
        writer.write({}, CPU, full)
        raise ZeroDivisionError
    assert caplog.messages == ["the disk is full"]


def test_an_error_of_the_block_waits_for_what_is_being_written():
    write = Slow()
    with pytest.raises(ZeroDivisionError), Writer(beside=True) as writer:
        writer.write({"w": torch.zeros(1)}, CPU, write)
        threading.Timer(0.05, write.let.set).start()
        raise ZeroDivisionError
    assert write.wrote == [[0]]


def test_a_stop_at_once_drops_what_is_being_written(new_parts, tmp_path, monkeypatch, caplog):
    """Nothing half-written is left, and nothing is said: it is what was asked for."""
    parts, checkpoints = new_parts().train(), Checkpoints(tmp_path, keep=2, beside=True)
    with pytest.raises(Stopped), checkpoints.writer as writer:
        parts.save(checkpoints, 1)
        writer.wait()
        begun, let, save = threading.Event(), threading.Event(), torch.save

        def slowly(*arguments):
            begun.set()
            assert let.wait(PATIENCE)
            save(*arguments)

        monkeypatch.setattr(torch, "save", slowly)
        parts.save(checkpoints, 2)
        assert begun.wait(PATIENCE)
        threading.Timer(0.05, let.set).start()
        raise Stopped(15)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert caplog.messages == []


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_is_the_same_to_the_byte_wherever_it_is_written(
    new_parts, tmp_path, optimizer
):
    parts, other = new_parts(0, optimizer).train(2), new_parts(1, optimizer)
    for name, beside in (("in", False), ("beside", True)):
        checkpoints = Checkpoints(tmp_path / name, keep=2, beside=beside)
        with checkpoints.writer:
            parts.save(checkpoints, 2)
            weights = parts.weights()
            if beside:
                parts.train()  # while it is written
    files = [path.name for path in (tmp_path / "in" / "step-00000002").iterdir()]
    assert len(files) == 4
    for file in files:
        first, second = (tmp_path / name / "step-00000002" / file for name in ("in", "beside"))
        assert first.read_bytes() == second.read_bytes(), file
    assert other.resume(Checkpoints(tmp_path / "beside", keep=2)) == 2
    assert all(value.equal(weights[name]) for name, value in other.weights().items())


@pytest.mark.parametrize("keep", [1, 2])
def test_only_the_newest_are_kept_when_they_are_written_beside(new_parts, tmp_path, keep):
    checkpoints, parts = Checkpoints(tmp_path, keep, beside=True), new_parts()
    with checkpoints.writer:
        for step in (2, 4, 6):
            parts.save(checkpoints, step)
    assert len(list(tmp_path.iterdir())) == keep
    assert new_parts(1).resume(checkpoints) == 6
