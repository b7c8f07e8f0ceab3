"""TensorBoard, wandb and trackio hold what a run holds; each is tried where it is installed."""

from __future__ import annotations

import importlib
import json
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.monitoring.trackers import TrackedRun, require, trackers
from uniapl_cli.monitoring.trackers import tracker as module
from uniapl_cli.monitoring.trackers.tensorboard import SHOWN_ROWS, TensorBoard
from uniapl_cli.monitoring.trackers.trackio import Trackio
from uniapl_cli.monitoring.trackers.wandb import WeightsAndBiases

ROWS = [
    {
        "id": f"{n}",
        "response": "* So.\n```\n<b>" * n,
        "verifier": n / 2,
        "verdict": [{"correct": n}],
    }
    for n in range(SHOWN_ROWS + 2)
]
ROWS[1]["more"] = True
CONFIG = {"version": 2, "method": "grpo", "optim": {"lr": 1e-3}, "list": [1, None]}
LONG = "long " * 20_000


def tracked(folder: Path) -> TrackedRun:
    return TrackedRun("0123456789abcdef", "tiny-run", folder, ["grpo", "base"], CONFIG)


def session(make: Any, folder: Path, first: int, last: int, value: float) -> Any:
    """The tracker, after the steps behind `first` up to `last`, and no end."""
    tracker = make()
    tracker.start(tracked(folder), first)
    for step in range(first + 1, last + 1):
        tracker.log(step, {"loss": value, "gradients/cosine/a~b": float("nan")})
        tracker.log(step, {"validation/loss": value + 1})
        tracker.samples(step, "rollouts", ROWS if step != 5 else [{"response": LONG}])
    tracker.flush()
    return tracker


def in_two_sessions(make: Any, folder: Path) -> None:
    """Steps 1 to 4 and a kill, whose checkpoint is step 2; then 3 to 5, and a stop."""
    session(make, folder, 0, 4, 0.5)
    session(make, folder, 2, 5, 0.75).finish("stopped", 5)


def test_tensorboard_takes_back_what_is_run_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="uniapl[tensorboard]")
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    in_two_sessions(TensorBoard, tmp_path)
    read = EventAccumulator(
        str(tmp_path / "tensorboard"), tensor_size_guidance={"scalars": 0, "text": 0}
    )
    read.Reload()
    values = {
        name: [(e.step, e.tensor_proto) for e in read.Tensors(name)]
        for name in read.Tags()["tensors"]
    }
    losses = [(step, proto.float_val[0]) for step, proto in values["loss"]]
    assert losses == [(1, 0.5), (2, 0.5), (3, 0.75), (4, 0.75), (5, 0.75)]
    assert [step for step, _ in values["validation/loss"]] == [1, 2, 3, 4, 5]
    assert len(values["gradients/cosine/a~b"]) == 5
    texts = {step: t.string_val[0].decode() for step, t in values["samples/rollouts/text_summary"]}
    assert list(texts) == [1, 2, 3, 4, 5] and LONG.strip() in texts[5]
    assert texts[1].count("**response**") == SHOWN_ROWS
    assert "\n    * So.\n    ```\n    <b>" in texts[1]  # indented: as it is
    config = values["config/text_summary"][0][1].string_val[0].decode()
    assert json.loads(config.split("\n\n", 1)[1]) == CONFIG
    assert values["status/text_summary"][0][1].string_val[0] == b"stopped at step 5"


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: 7 bytes, then LevelDB's log of blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole one, the last piece
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def test_wandb_keeps_one_run_whose_axis_is_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="uniapl[wandb]")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("sys.argv", ["uniapl", "train", "teacher.server.extra.api_key=hunter2"])
    session(WeightsAndBiases, tmp_path, 2, 5, 0.5).finish("stopped", 5)
    importlib.import_module("wandb").teardown()  # its own process has written all then
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    records = list(wandb_records(file))
    rows = [
        {"/".join(i.nested_key) or i.key: i.value_json for i in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    assert [row["step"] for row in rows if "loss" in row] == ["3", "4", "5"]
    assert [row["step"] for row in rows if "validation/loss" in row] == ["3", "4", "5"]
    assert {record.run.run_id for record in records if record.HasField("run")} == {
        "0123456789abcdef"
    }
    assert [r.exit.exit_code for r in records if r.HasField("exit")] == [143]
    assert "hunter2" not in "".join(map(str, records))
    assert {record.run.host for record in records if record.HasField("run")} == {""}
    tables = sorted(tmp_path.glob("wandb/offline-run-*/files/media/table/samples/*.json"))
    found = [json.loads(path.read_text()) for path in tables]
    assert found[0]["columns"] == ["id", "response", "verifier", "verdict", "more"]
    assert len(found[0]["data"]) == len(ROWS)
    assert [[LONG]] in [table["data"] for table in found]


def test_trackio_keeps_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    pytest.importorskip("trackio", reason="uniapl[trackio]")
    storage = importlib.import_module("trackio.sqlite_storage")
    for name in ("trackio.utils", "trackio.sqlite_storage"):
        monkeypatch.setattr(importlib.import_module(name), "TRACKIO_DIR", tmp_path, raising=False)
    in_two_sessions(Trackio, tmp_path)
    database = sqlite3.connect(storage.SQLiteStorage.get_project_db_path("uniapl"))
    rows = list(database.execute("select run_name, step, metrics from metrics order by id"))
    assert {name for name, _, _ in rows} == {"tiny-run-012345"}
    losses = [step for _, step, text in rows if "loss" in json.loads(text)]
    assert set(losses) == {1, 2, 3, 4, 5}
    table = next(json.loads(text) for _, _, text in rows if b"samples/rollouts" in bytes(text))
    assert len(table["samples/rollouts"]["_value"]) == len(ROWS)
    assert list(database.execute("select title, step from alerts")) == [("stopped", 5)]
    (config,) = [json.loads(text) for (text,) in database.execute("select config from configs")]
    assert config["optim"] == {"lr": 1e-3}
    assert capfd.readouterr().out == ""  # results go there


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_a_missing_package_is_told_with_what_to_type(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda package: None)
    with pytest.raises(ConfigError) as caught:
        require([trackers.options(name)])
    assert caught.value.got == name and f"uniapl[{name}]" in caught.value.advice
