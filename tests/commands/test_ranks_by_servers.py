"""uniapl train by two processes whose rollouts come from a vLLM server."""

from collections import Counter
from pathlib import Path

import pytest
from launched import launch, numbers
from vllm_standin import Fault, StandIn

from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.tiny.assets import resolve

TINY = Path(__file__).parents[2] / "experiments" / "tiny"
STEPS, PROMPTS = 3, 3

pytestmark = pytest.mark.ranks


@pytest.fixture
def server():
    with StandIn(resolve("tiny:teacher")) as started:
        yield started


@pytest.fixture
def words(tiny_data, tmp_path):
    """words(server, *overrides): of a run of two processes, into tmp_path/run."""

    def make(server, *overrides):
        return [
            *("train", "grpo", "--config", str(TINY / "grpo.yaml"), f"run.dir={tmp_path / 'run'}"),
            *("model.path=tiny:teacher", "run.device=cpu", "run.log_every=1", "optim.lr=0.003"),
            *(f"data.{name}={tiny_data['few']}" for name in ("demonstrations", "prompts")),
            f"sources.rollouts={{prompts_per_step: {PROMPTS}, num_generations: 4}}",
            "rewards.verifier.functions.verifier.mode=fraction",
            *("sampling.max_new_tokens=16", f"training.steps={STEPS}", "run.save_every=100"),
            *("generation.kind=vllm", f"generation.addresses=[{server.address}]"),
            *("generation.patience=0", "generation.api_key_env=NUMBER", *overrides),
        ]

    return make


def ranks():
    return [{**numbers(rank, 2), "NUMBER": f"rank-{rank}"} for rank in range(2)]


def carried(server):
    """(route or `draw`, the rank that asked), as often as it was."""
    rows = zip(server.bodies, server.keys, strict=True)
    return Counter(
        ("draw" if "ignore_eos" in body else route, key.removeprefix("Bearer rank-"))
        for (route, body), key in rows
    )


def test_weights_are_brought_once_and_each_rank_asks_for_its_share(server, words, tmp_path, logged):
    """A server that restarts in mid-draw gets them once more, whichever rank notices."""
    drawn = []

    def restart(route, body, before):
        if "ignore_eos" not in body:
            return None
        drawn.append(tuple(body["prompt"]))
        if len(drawn) == PROMPTS + 2:
            server.restart()
            return Fault(drop=True)
        return None

    server.faults = restart
    done = launch(words(server), of_rank=ranks())
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    asked = carried(server)
    # The proof's perturbed weights, the run's own before each step, and those after the restart.
    assert asked["/collective_rpc", "0"] == 1 + STEPS + 1
    assert {key for (route, key) in asked if route in ("/collective_rpc", "/pause")} == {"0"}
    assert asked["draw", "0"] >= 2 * STEPS and asked["draw", "1"] >= STEPS
    assert STEPS * PROMPTS < asked["draw", "0"] + asked["draw", "1"] <= STEPS * PROMPTS + PROMPTS
    rows = logged(tmp_path / "run")
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert max(row["rollouts/probe_gap"] for row in rows) < 1e-4
    assert max(row["preference/sampler_gap"] for row in rows) < 1e-5
    assert all(row["rollouts/sync_seconds"] > 0 for row in rows)
    assert "warning" not in done[1].stderr
    assert RunDirectory(tmp_path / "run").finished


def test_a_server_that_stays_away_ends_all_ranks_with_a_checkpoint(server, words, tmp_path):
    def dies(route, body, before):
        if "ignore_eos" in body:
            drawn.append(body)
        return Fault(drop=True) if len(drawn) > PROMPTS + 1 else None

    drawn = []
    server.faults = dies
    done = launch(words(server, "generation.retries=0"), of_rank=ranks())
    assert [one.returncode for one in done] == [2, 2], done[0].stderr + done[1].stderr
    assert f"http://{server.address}" in done[0].stderr.splitlines()[-1]
    assert done[1].stderr == ""
    assert RunDirectory(tmp_path / "run").newest_step == 1
