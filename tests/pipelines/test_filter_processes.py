"""The filter's processes: they end with the one that started them, and warn once among them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from uniapl_cli.files import write_rows
from uniapl_cli.verifiers import splitter_name

pytestmark = pytest.mark.slow

SLEEPS = "import time\ndef evaluate(response): time.sleep(9)"
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there. A."}]


def below(pid: int) -> set[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return set()
    started = {int(child) for child in text.split()}
    return started.union(*map(below, started))


def alive(pids: set[int]) -> set[int]:
    def state(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "Z"

    return {pid for pid in pids if state(pid) != "Z"}


def until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def filtering(folder: Path, rows: list[dict], **environment: str) -> subprocess.Popen:
    write_rows(folder / "rows.jsonl", rows)
    command = [sys.executable, "-m", "uniapl_cli", "filter-gt", "filter.workers=2"]
    command += [f"filter.responses={folder / 'rows.jsonl'}", f"filter.out={folder / 'kept.jsonl'}"]
    (folder / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(folder / "tmp"), **environment}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    return subprocess.Popen(command, env=env, preexec_fn=usual_signals, **pipes)


def usual_signals() -> None:
    """What starts pytest may ignore Ctrl-C, as a background job does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_filter_that_is_ended_leaves_no_process_and_no_folder(tmp_path, how):
    rows = [{"messages": TURNS, "eval_funcs": [SLEEPS]} for _ in range(1500)]
    process, started = filtering(tmp_path, rows), set()
    try:
        # Two workers, and of each a sandbox whose call sleeps.
        sandboxes = lambda: list((tmp_path / "tmp").glob("uniapl-sandbox-*"))  # noqa: E731
        assert until(lambda: len(sandboxes()) == 2 and len(below(process.pid)) >= 6, 120)
        started = below(process.pid)
        process.send_signal(how)
        assert until(lambda: process.poll() is not None, 5)
        assert until(lambda: not alive(started), 5), alive(started)
        assert until(lambda: not sandboxes(), 2)
        assert not (tmp_path / "kept.jsonl").exists()
    finally:
        for left in {process.pid, *alive(started)}:
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        process.communicate()


def test_missing_tables_are_told_once(tmp_path):
    if splitter_name() != "untrained":
        pytest.skip("the tables are installed here")
    few = {"num_sentences": 2, "relation": "at least"}
    rows = [
        {
            "key": str(number),
            "prompt": "Hi",
            "instruction_id_list": ["length_constraints:number_sentences"],
            "kwargs": [few],
            "response": "One. Two.",
        }
        for number in range(1500)
    ]
    process = filtering(tmp_path, rows, NLTK_DATA=str(tmp_path), HOME=str(tmp_path))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert errors.decode().count("uniapl setup nltk") == 1, errors
