"""Nothing of a server is left, whichever way it or whoever started it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from uniapl_cli.serving import keeper

pytestmark = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc is not here")


@pytest.fixture
def kept(vllm, tmp_path, until):
    """kept(): a keeper of the stand-in, and what that was started with."""
    running = []

    def start(*words, command=(sys.executable, "-I", "-S", keeper.__file__)):
        process = subprocess.Popen(
            [*command, str(vllm), *words], stdin=subprocess.PIPE, cwd=tmp_path
        )
        running.append(process)
        until((tmp_path / "started.json").exists)
        return process, json.loads((tmp_path / "started.json").read_text())

    yield start
    for process in running:
        process.stdin.close()
        process.wait(30)


def test_it_runs_the_words_in_a_group_of_its_own(kept):
    process, started = kept("serve", "--port", "7")
    assert started["words"] == ["serve", "--port", "7"]
    assert started["group"] == started["pids"][0] != os.getpgrp()
    assert all(started["signals"]), "a server that is asked to end must hear it"


def test_the_end_of_its_input_ends_the_group(kept, until, alive):
    process, started = kept()
    process.stdin.close()
    process.wait(30)
    until(lambda: not any(map(alive, started["pids"])))


def test_an_engine_does_not_outlive_its_server(kept, until, alive, tmp_path):
    process, started = kept()
    (tmp_path / "ends.txt").write_text("3")
    assert process.wait(30) == 3
    until(lambda: not any(map(alive, started["pids"])))


def test_a_killed_server_is_told_as_shells_do(kept, until, alive):
    process, started = kept()
    os.kill(started["pids"][0], signal.SIGKILL)
    assert process.wait(30) == 128 + signal.SIGKILL
    until(lambda: not any(map(alive, started["pids"])))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_left_to_whoever_holds_the_pipe(kept, alive, number):
    process, started = kept()
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert all(map(alive, started["pids"]))
