"""A tracker gets each row of a run's files once, whatever fails, hangs or is killed meanwhile."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from uniapl_cli.monitoring import follower as following
from uniapl_cli.monitoring import tracking
from uniapl_cli.monitoring.follower import Follower, Sent, numbers
from uniapl_cli.monitoring.tail import Tail
from uniapl_cli.monitoring.trackers import TrackedRun
from uniapl_cli.monitoring.tracking import Tracking, ending
from uniapl_cli.runs.directory import RunDirectory


class Noting:
    """A tracker that notes its calls; the next of `failing` raises, each once."""

    def __init__(self, *failing: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failing = list(failing)
        self.written = 0.0

    def note(self, *call: Any) -> None:
        if call[0] in self.failing:
            self.failing.remove(call[0])
            raise ConnectionError("the network is down")
        self.calls.append(call)

    def start(self, run: TrackedRun, step: int) -> None:
        self.note("start", run.id, step)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.note("log", step, dict(metrics))

    def samples(self, step: int, source: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.note("samples", step, source, len(rows))

    def flush(self) -> float:
        return self.written

    def finish(self, status: str, step: int) -> None:
        self.note("finish", status, step)

    def steps(self, kind: str = "log") -> list[int]:
        return [call[1] for call in self.calls if call[0] == kind]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    return run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "INTERVAL", 0.001)
    monkeypatch.setattr(following, "RETRY", 0.002)


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[Any]:
    logger, handler = logging.getLogger("uniapl"), Lines()
    logger.addHandler(handler)
    yield lambda: handler.lines
    logger.removeHandler(handler)


def follow(run: RunDirectory, tracker: Any, rewinds: bool = False) -> Follower:
    sent = Sent(run)
    facts = TrackedRun(sent.entry("noting")["id"], "run", run.path, [], {})
    return Follower("noting", tracker, rewinds, facts, sent)


def log(run: RunDirectory, *steps: int, loss: float = 0.5) -> None:
    for step in steps:
        run.log({"step": step, "loss": loss, "rollouts/note": "text"})


def sample(run: RunDirectory, step: int, *sources: str) -> None:
    run.sample({"step": step, "source": source, "response": "So."} for source in sources)


def test_a_tail_hands_out_each_step_once_and_leaves_a_torn_line(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "rows.jsonl")
    assert list(tail.steps()) == []
    tail.path.write_text('{"step": 1, "a": 1}\n{"step": 1, "a": 2}\n{"step": 2, "a": 3}\n{"st')
    assert list(tail.steps(2)) == [(1, [{"a": 1}, {"a": 2}])]
    for _ in range(2):  # a step whose handling fails is handed out again
        with pytest.raises(OSError):
            for step, _ in tail.steps():
                assert step == 2
                raise OSError
    assert list(tail.steps()) == [(2, [{"a": 3}])]
    with tail.path.open("a") as file:
        file.write('ep": 3}\n')
    assert list(tail.steps()) == [(3, [{}])]


def test_numbers_are_what_a_tracker_can_draw() -> None:
    row = {"version": 2, "loss": 1, "kind": "x", "by": {"ifeval": 0.5, "n": {"a": 2}}, "none": None}
    assert numbers([row], "validation/") == {
        "validation/loss": 1,
        "validation/by/ifeval": 0.5,
        "validation/by/n/a": 2,
    }
    assert numbers([{"validation/loss": 1}], "validation/") == {"validation/loss": 1}


def test_all_kinds_of_rows_are_sent_once_and_in_order(run: RunDirectory) -> None:
    tracker = Noting()
    one = follow(run, tracker)
    log(run, 1)
    sample(run, 1, "rollouts", "others", "rollouts")
    one.catch_up(0, ended=False)
    assert tracker.steps() == [1] and tracker.steps("samples") == []  # more may come of step 1
    log(run, 2)
    for step in (0, 2):
        run.log_validation({"step": step, "loss": 0.25})
    one.catch_up(0, ended=False)
    one.catch_up(0, ended=False)
    assert tracker.calls[1:] == [
        ("log", 1, {"loss": 0.5}),
        ("log", 2, {"loss": 0.5}),
        ("log", 0, {"validation/loss": 0.25}),
        ("log", 2, {"validation/loss": 0.25}),
        ("samples", 1, "rollouts", 2),
        ("samples", 1, "others", 1),
    ]
    sample(run, 2, "rollouts")
    one.catch_up(0, ended=True)
    assert tracker.calls[-1] == ("samples", 2, "rollouts", 1)


@pytest.mark.parametrize("rewinds", [False, True])
def test_a_resumed_run_goes_on_in_the_same_tracked_run(
    run: RunDirectory, rewinds: bool, said: Any
) -> None:
    first, second = Noting(), Noting()
    log(run, 1, 2, 3)
    follow(run, first, rewinds).catch_up(0, ended=True)
    run.rewind(2)
    log(run, 3, 4)
    follow(run, second, rewinds).catch_up(2, ended=True)
    assert second.calls[0] == ("start", first.calls[0][1], 2)
    assert second.steps() == ([3, 4] if rewinds else [4])
    assert len(said()) == (0 if rewinds else 1)


def test_what_was_logged_before_a_kill_and_not_sent_is_sent(run: RunDirectory) -> None:
    first, second = Noting(), Noting()
    log(run, 1, 2)
    follow(run, first).catch_up(0, ended=False)
    log(run, 3, 4)  # and the process is killed
    follow(run, second).catch_up(4, ended=False)
    assert first.steps() + second.steps() == [1, 2, 3, 4]


def test_what_a_kill_can_take_from_the_tracker_is_sent_again(run: RunDirectory) -> None:
    first, second, third = Noting(), Noting(), Noting()
    first.written = 60.0
    log(run, 1, 2)
    follow(run, first).catch_up(0, ended=False)  # and a kill, a moment later
    one = follow(run, second)
    one.catch_up(2, ended=True)
    one.finish("finished")
    follow(run, third).catch_up(2, ended=True)
    assert [t.steps() for t in (first, second, third)] == [[1, 2], [1, 2], []]
    assert len({t.calls[0][1] for t in (first, second, third)}) == 1  # the same id


@pytest.mark.parametrize("call", ["start", "log", "samples", "finish"])
def test_what_fails_is_said_once_and_tried_again(run: RunDirectory, call: str, said: Any) -> None:
    tracker = Noting(call)
    shown = Tracking([follow(run, tracker)])
    log(run, 1, 2, 3)
    sample(run, 1, "rollouts")
    shown.begin(0)
    while call != "finish" and tracker.failing:
        threading.Event().wait(0.001)
    shown.finish("finished")
    assert tracker.steps() == [1, 2, 3] and tracker.steps("samples") == [1]
    (line,) = said()
    assert "noting" in line and "the network is down" in line and str(run.path) in line
    if call != "finish":
        assert tracker.calls[-1] == ("finish", "finished", 3)


def test_a_tracker_that_never_works_loses_nothing(run: RunDirectory, said: Any) -> None:
    tracker = Noting(*["start"] * 1000)
    shown = Tracking([follow(run, tracker)])
    shown.begin(0)
    log(run, 1, 2)
    shown.finish("finished")
    assert tracker.calls == [] and len(said()) == 1
    later = Noting()
    follow(run, later).catch_up(2, ended=True)
    assert later.steps() == [1, 2]


def test_a_tracker_that_hangs_is_left_behind(
    run: RunDirectory, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    tracker, good = Noting(), Noting()
    tracker.start = lambda *_: free.wait(60)  # type: ignore[method-assign]
    sent = Sent(run)
    facts = TrackedRun("id", "run", run.path, [], {})
    shown = Tracking([follow(run, tracker), Follower("good", good, False, facts, sent)])
    monkeypatch.setattr(following, "SILENT", 0.0)
    monkeypatch.setitem(tracking.WAIT, "stopped", 0.5)
    shown.begin(0)
    log(run, 1)
    while not good.steps():
        shown.check()
    shown.check()
    shown.finish("stopped")
    assert good.calls[-1] == ("finish", "stopped", 1)
    assert len([line for line in said() if "noting" in line]) == 2  # silent, and late
    free.set()


@pytest.mark.parametrize(
    ("error", "status"), [(None, "finished"), (KeyboardInterrupt, "stopped"), (OSError, "failed")]
)
def test_trackers_are_told_how_it_ended(run: RunDirectory, error: Any, status: str) -> None:
    tracker = Noting()
    try:
        with ending(Tracking([follow(run, tracker)])) as shown:
            shown.begin(0)
            if error:
                raise error
    except (KeyboardInterrupt, OSError):
        pass
    assert tracker.calls[-1] == ("finish", status, 0)


def test_a_run_that_did_not_begin_has_nothing_to_end(run: RunDirectory) -> None:
    tracker = Noting()
    with pytest.raises(OSError), ending(Tracking([follow(run, tracker)])):
        raise OSError
    assert tracker.calls == []


def test_ids_and_steps_of_several_trackers_share_a_file(run: RunDirectory) -> None:
    sent = Sent(run)
    for name in ("a", "b"):
        sent.write(name, sent.entry(name))
    kept = json.loads((run.path / "trackers.json").read_text())
    assert kept["a"]["id"] != kept["b"]["id"]
    assert Sent(run).entry("a") == kept["a"]


@pytest.mark.parametrize("text", ["[1]", '{"a": 5}', '{"a": {"id": "x", "metrics": "1"}}', "{"])
def test_what_is_no_record_of_what_was_sent_counts_as_none(run: RunDirectory, text: str) -> None:
    (run.path / "trackers.json").write_text(text)
    entry = Sent(run).entry("a")
    assert isinstance(entry["id"], str) and entry["metrics"] == -1
