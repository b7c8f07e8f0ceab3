"""uniapl train whose rollouts and validation come from vLLM servers, and what else samples."""

import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from vllm_standin import Fault, StandIn

from uniapl_cli.chat import Chat
from uniapl_cli.commands.generator import local_generator
from uniapl_cli.commands.run import resumable
from uniapl_cli.commands.train import train
from uniapl_cli.errors import ConfigError, ModelError, ServerError
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.signals import Stopped
from uniapl_cli.tiny.assets import resolve

WITHOUT_VLLM = pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed here")


@pytest.fixture
def server():
    with StandIn(resolve("tiny:teacher")) as started:
        yield started


@pytest.fixture
def config(tiny_config):
    """config(server, *overrides, method, name): of a short run by that server."""

    def make(server, *overrides, method="grpo", name="run"):
        served = ["generation.kind=vllm", f"generation.addresses=[{server.address}]"]
        served += ["model.path=tiny:teacher", "generation.patience=0", "run.device=cpu"]
        return tiny_config(method, name, *served, *overrides)

    return make


def test_a_run_learns_from_the_servers_responses(server, config, logged):
    given = config(server)
    train(given)
    run = RunDirectory(Path(given.run.dir))
    rows = logged(run.path)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert max(row["preference/sampler_gap"] for row in rows) < 1e-5
    assert max(row["rollouts/probe_gap"] for row in rows) < 1e-4
    assert run.finished
    assert not run.scratch.exists()


def test_an_adapter_is_learnt_from_the_servers_responses(server, config, logged):
    pytest.importorskip("peft")
    given = config(server, "model.adapter.rank=4", "training.steps=2")
    train(given)
    assert max(r["preference/sampler_gap"] for r in logged(Path(given.run.dir))) < 1e-5


def test_held_out_prompts_are_answered_by_the_servers(server, config, tiny_data):
    measured = ["validation.every=2", f"validation.prompts={tiny_data['eight']}"]
    given = config(server, *measured, "training.steps=2", method="sft")
    train(given)
    assert [row["step"] for row in RunDirectory(Path(given.run.dir)).validated()] == [0, 2]
    asked = [body for _, body in server.bodies if "ignore_eos" in body]
    assert [(body["temperature"], body["n"]) for body in asked] == [(0, 1)] * 16


def test_a_run_goes_on_when_its_server_is_back(server, config, logged, weights):
    """It stops with a checkpoint of the steps done; the same config, elsewhere, goes on."""

    def dies(route, body, before):
        if "ignore_eos" in body:
            steps.append(body)
        return Fault(drop=True) if len(steps) > 3 * 2 else None

    steps = []
    server.faults = dies
    given = config(server, "run.save_every=100", "generation.retries=0")
    with pytest.raises(ServerError) as caught:
        train(given)
    run = RunDirectory(Path(given.run.dir))
    assert caught.value.where == f"http://{server.address}"
    assert run.newest_step == 3
    assert not run.scratch.exists()
    assert [row["step"] for row in logged(run.path)] == [1, 2, 3]
    with StandIn(resolve("tiny:teacher")) as other:
        train(config(other, "run.save_every=100"))
        asked = [body["prompt"] for _, body in other.bodies if "ignore_eos" in body]
    assert [row["step"] for row in logged(run.path)] == [1, 2, 3, 4]
    assert all(body["prompt"] in asked for body in steps[3 * 2 :])  # no prompt is passed over
    assert run.finished


@pytest.mark.parametrize("advice", ["", "Start it", "Start it.", "Is it there?"])
def test_advice_ends_in_one_full_stop_before_it_says_how_the_run_goes_on(tmp_path, advice):
    with pytest.raises(ServerError) as caught, resumable(RunDirectory(tmp_path)):
        raise ServerError("it is away", advice)
    begin, _, _ = caught.value.advice.partition(" the same command")
    whole = advice if advice[-1:] in ("", ".", "?") else f"{advice}."
    assert begin == (f"{whole} Then" if advice else "When it answers again,")


def test_ctrl_c_hangs_up_and_saves_the_steps_done(server, config):
    def interrupt(route, body, before):
        if "ignore_eos" not in body:
            return None
        asked.append(body)
        if len(asked) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return Fault(delay=60.0) if len(asked) > 4 else None

    asked = []
    server.faults = interrupt
    given, began = config(server, "run.save_every=100"), time.monotonic()
    with pytest.raises(Stopped):
        train(given)
    assert time.monotonic() - began < 50
    assert RunDirectory(Path(given.run.dir)).newest_step == 2
    assert not server.paused


def test_a_server_that_was_never_there_leaves_no_checkpoint(server, config):
    server.__exit__()
    given = config(server)
    with pytest.raises(ServerError):
        train(given)
    assert not RunDirectory(Path(given.run.dir)).has_state


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("key", "error", "overrides"),
    [
        ("generation.kind", ModelError, ["model.path=tiny:base"]),
        ("sampling.temperature", ConfigError, ["sampling.temperature=0.005"]),
        ("sampling.temperature", ConfigError, ["sampling.temperature=0"]),
        ("sampling.top_p", ConfigError, ["sampling.top_p=0.9"]),
        ("sampling.top_k", ConfigError, ["sampling.top_k=5"]),
        ("generation.api_key_env", ConfigError, ["generation.api_key_env=NOT_SET_ANYWHERE"]),
        pytest.param("generation.sync", ModelError, ["generation.sync=nccl"], marks=WITHOUT_VLLM),
    ],
)
def test_what_servers_cannot_do_is_refused_before_the_first_step(
    server, config, key, error, overrides, dry_run
):
    given = config(server, *overrides)
    with pytest.raises(error) as caught:
        train(given, dry_run=dry_run)
    assert caught.value.key == key
    assert server.bodies == []
    assert not Path(given.run.dir).exists()


def test_what_does_not_train_samples_in_this_process(server, config, new_policy, caplog):
    policy = new_policy()
    with caplog.at_level("INFO", "uniapl"):
        made = local_generator(config(server), policy.model, Chat(policy.tokenizer), "eval.model")
    assert isinstance(made, LocalGenerator)
    assert any("generation.kind=vllm" in record.message for record in caplog.records)
    assert server.bodies == []


@pytest.mark.parametrize("reloads", [0, 1, 2])
def test_ctrl_c_while_weights_are_under_way_leaves_the_server_open(server, config, reloads):
    """In the proof, after it, and after an update; what is saved are the run's own weights."""

    def interrupt(route, body, before):
        if (route, before) != ("/collective_rpc", reloads):
            return None
        os.kill(os.getpid(), signal.SIGINT)
        return Fault(delay=2.0)

    server.faults = interrupt
    given = config(server, "run.save_every=100")
    with pytest.raises(Stopped):
        train(given)
    assert RunDirectory(Path(given.run.dir)).newest_step == max(0, reloads - 1)
    assert not server.paused
