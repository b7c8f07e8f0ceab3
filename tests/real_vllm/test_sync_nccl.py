"""vLLM's own trainer and routes take what is asked of them for a transfer over NCCL."""

import json
import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def noted():
    python = Path(os.environ["UNIAPL_VLLM"]).with_name("python")
    script = Path(__file__).with_name("nccl_calls.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parents[2])}
    done = subprocess.run(
        [python, script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_group_is_joined_once_and_all_weights_are_sent_each_time(noted):
    lifecycle = ["start_weight_update", "update_weights", "finish_weight_update"]
    assert [name for name, _ in noted["asked"]] == [
        "init_weight_transfer_engine",
        *lifecycle,
        *lifecycle,
    ]
    names = ["a.weight", "lm_head.weight"]
    assert [name for name, *_ in noted["sent"]] == names * 2
    (told,) = [values for name, values in noted["asked"] if name == "update_weights"][0]
    assert told["update_info"]["names"] == names
    assert told["update_info"]["dtype_names"] == ["float32", "bfloat16"]


def test_the_server_joins_the_group_that_is_opened_here(noted):
    (init,) = noted["asked"][0][1]
    ((host, size),) = noted["opened"]
    assert (init["init_info"]["master_address"], init["init_info"]["world_size"]) == (host, size)
    assert (size, init["init_info"]["rank_offset"]) == (3, 1)  # two workers behind this process
