"""A process's place among several is what its launcher has said; half of it is no place."""

import json

import pytest

from uniapl_cli.errors import RunError
from uniapl_cli.ranks.launch import Place, place, report

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
SRUN = {
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS_PER_NODE": "2",
}


@pytest.mark.parametrize("said", [TORCHRUN, SRUN, {**SRUN, **TORCHRUN}])
def test_it_is_read_of_either_launcher(said):
    assert place({**MEETING, **said}) == Place(3, 4, 1, 2)


def test_torchrun_is_believed_before_srun_which_may_have_started_it():
    assert place({**MEETING, **TORCHRUN, "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}).rank == 3


@pytest.mark.parametrize("missing", [*MEETING, "RANK", "WORLD_SIZE"])
def test_where_nobody_said_so_there_is_one_process(missing):
    said = {name: value for name, value in {**MEETING, **TORCHRUN}.items() if name != missing}
    assert place(said) is None
    assert place({**said, missing: ""}) is None


def test_a_batch_script_of_slurm_is_one_process():
    assert place(SRUN) is None


def test_one_process_of_one_machine_need_not_say_where():
    assert place({**MEETING, "RANK": "0", "WORLD_SIZE": "1"}) == Place(0, 1, 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"RANK": "4"},
        {"RANK": "-1"},
        {"RANK": "one"},
        {"WORLD_SIZE": "0"},
        {"LOCAL_RANK": "-1"},
        {"LOCAL_WORLD_SIZE": "x"},
    ],
)
def test_numbers_of_no_process_are_told(wrong):
    with pytest.raises(RunError) as caught:
        place({**MEETING, **TORCHRUN, **wrong})
    assert "torchrun" in str(caught.value)
    assert all(f"{n}={v}" in str(caught.value) for n, v in wrong.items() if n != "LOCAL_WORLD_SIZE")


def test_the_launcher_reads_why_a_process_has_failed(tmp_path, monkeypatch):
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    report("rank 1: no rows")
    told = json.loads(file.read_text())["message"]
    assert told["message"] == told["extraInfo"]["py_callstack"] == "rank 1: no rows"
    assert int(told["extraInfo"]["timestamp"]) > 0


def test_nobody_may_ask_why(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    report("no matter")
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "gone" / "error.json"))
    report("no matter")
