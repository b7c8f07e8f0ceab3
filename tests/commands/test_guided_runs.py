"""Runs whose groups hold what the teacher wrote, or whose users go on: here, and by servers."""

import json
from itertools import pairwise

import pytest
from vllm_standin import StandIn

from uniapl_cli.files import write_rows
from uniapl_cli.tiny.assets import resolve

# Everything at once: an expert, two of four rollouts with a beginning, tokens of both kinds learnt.
GUIDED = (
    "sources.rollouts.expert=joins",
    "sources.rollouts.prefix={rows: 2, law: {kind: uniform, low: 0.2, high: 0.8}}",
    "sampling.max_new_tokens=48",
)


@pytest.fixture
def talks(tiny_data, tmp_path):
    """Rows whose user asks for another thing after the first answer, which the verifier checks."""
    rows = [json.loads(line) for line in tiny_data["few"].read_text("utf-8").splitlines()]
    pairs = [{**b, "prompt": a["prompt"], "next_turns": [b["prompt"]]} for a, b in pairwise(rows)]
    write_rows(tmp_path / "talks.jsonl", pairs)
    return (f"data.prompts={tmp_path / 'talks.jsonl'}", "sampling.max_new_tokens=160")


@pytest.fixture
def server():
    with StandIn(resolve("tiny:teacher")) as started:
        yield started


@pytest.mark.parametrize("guided", [True, False])
def test_servers_write_behind_given_tokens_and_answer_turn_by_turn(
    server, guided, talks, train_tiny, logged
):
    """Their own log-probabilities are the learner's: ids reach it as they were sampled."""
    served = ["generation.kind=vllm", f"generation.addresses=[{server.address}]"]
    common = [
        "model.path=tiny:teacher",
        "generation.patience=0",
        "training.steps=2",
        "run.sample_every=1",
    ]
    run = train_tiny("grpo", "run", *served, *common, *(GUIDED if guided else talks))
    rows = logged(run)
    assert max(row["preference/sampler_gap_max"] for row in rows) < 1e-4
    assert max(row["rollouts/probe_gap"] for row in rows) < 1e-4
    samples = [json.loads(line) for line in (run / "samples.jsonl").read_text("utf-8").splitlines()]
    if guided:
        assert {row.get("expert") for row in samples} == {None, False, True}
        assert all("rollouts/given/share" in row for row in rows)


@pytest.mark.parametrize("guided", [True, False])
def test_a_resumed_run_goes_on_to_the_bit(guided, talks, train_tiny, logged, weights):
    """2 steps and 2 more are 4: what is given is drawn by the step, and an answer by its turn."""
    options = GUIDED if guided else talks
    whole = train_tiny("grpo", "whole", *options)
    train_tiny("grpo", "halves", *options, "training.steps=2")
    halves = train_tiny("grpo", "halves", *options)
    assert logged(halves) == logged(whole)
    assert weights(halves) == weights(whole)
    if guided:
        assert len({row["rollouts/given/share"] for row in logged(whole)}) == 4
