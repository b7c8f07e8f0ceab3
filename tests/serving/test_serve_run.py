"""`uniapl serve --run` over a stand-in for vLLM: what it is started with, and how it ends."""

import json
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc is not here")

WORDS = "serve discriminator discriminator.path=tiny:polar run.device=cpu --run --json --port 7"


@pytest.fixture
def running(programs, vllm, tmp_path, until):
    """The program, and what the stand-in was started with."""
    program = programs.start([*WORDS.split(), "--vllm", str(vllm)], tmp_path)
    until((tmp_path / "started.json").exists)
    yield program, json.loads((tmp_path / "started.json").read_text())
    program.poll() is None and program.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_the_program(running, until, alive, number):
    program, started = running
    program.send_signal(number)
    ended = program.wait(30)
    assert ended == (-number if number == signal.SIGKILL else 128 + number)
    until(lambda: not any(map(alive, started["pids"])))


def test_a_server_that_ends_by_itself_is_an_error(running, until, alive, tmp_path):
    program, started = running
    (tmp_path / "ends.txt").write_text("3")
    stdout, stderr = program.communicate(30)
    assert program.returncode == 2
    assert stderr.splitlines()[-1].startswith("error: the server ended")
    until(lambda: not any(map(alive, started["pids"])))
    # What is printed is what was started.
    told = json.loads(stdout)
    assert told["words"][1:] == started["words"]
    assert told["environment"].items() <= started["variables"].items()
    assert told["command"].endswith("--port 7" + told["command"].partition("--port 7")[2])


def test_a_vllm_that_is_not_there_is_refused_before_anything_is_read(programs, tmp_path):
    program = programs.start([*WORDS.split(), "--vllm", "absent"], tmp_path)
    _, stderr = program.communicate(30)
    assert program.returncode == 2 and stderr.startswith("error: there is no program 'absent'")
