"""Whole runs whose sampler is not the learner: bfloat16 samples what is trained in float32."""

from dataclasses import replace
from pathlib import Path

import pytest

from uniapl_cli.commands import components
from uniapl_cli.commands.job import Job, execute
from uniapl_cli.commands.method import learning_rate, plan
from uniapl_cli.commands.opening import open_run
from uniapl_cli.commands.parts import corrected, make_shared, make_sources
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.commands.train import make_optimizer, policies
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training.checkpoint import State

TOKEN = "sources.rollouts.correction={kind: token, cap: null}"
CAPPED = "sources.rollouts.correction={kind: sequence, cap: 1.02, floor: 0.98, mask: true}"
TWICE = "training.num_iterations=2"


@pytest.fixture
def trained(tiny_config, logged):
    """trained(name, *overrides): a GRPO run in float32 whose rollouts bfloat16 has sampled."""

    def run(name, *overrides, precision="bfloat16"):
        config = tiny_config("grpo", name, "precision=float32", "run.device=cpu", *overrides)
        method, folder = plan(config), RunDirectory(Path(config.run.dir))
        location = components.locate(config, "model.path", config.model.path)
        chat = components.policy_chat(config, location)
        streams = make_streams(config, method, chat, 512)
        policy, reference = policies(config, method, location, chat, "cpu")
        coarse = LocalGenerator(policy.model, chat, precision=precision)
        shared = make_shared(config, method, chat, policy, reference, "cpu")
        sources = make_sources(config, method, replace(shared, generator=lambda: coarse))
        state = State(policy, make_optimizer(config, policy.model), streams)
        open_run(folder, config, "cpu", {})
        execute(Job(config, folder, method, learning_rate(config), state, sources, reference))
        return folder.path

    return run


def of_term(line, name):
    return line[f"preference/{name}"]


@pytest.mark.slow
def test_a_coarse_sampler_is_weighed_and_the_gap_is_told(trained, logged):
    plain, weighed = (logged(trained(n, *o)) for n, o in (("off", ()), ("token", (TOKEN,))))
    for line in weighed:
        assert 1e-4 < of_term(line, "sampler_gap") < 0.05
        assert of_term(line, "sampler_gap_max") > 3 * of_term(line, "sampler_gap")
        assert 0.99 < of_term(line, "effective_sample_size") < 1 - 1e-7
        assert of_term(line, "clip_ratio") == of_term(line, "capped_ratio") == 0
    # Below the surrogate's own clip the ratio to the sampler is a weight, so one update of `off`
    # has the gradient of uncapped weights a token.
    first, other = plain[0], weighed[0]
    assert of_term(first, "clip_ratio") == 0
    for name in ("preference", "grad_norm", "preference/sampler_gap"):
        assert first[name] == pytest.approx(other[name], rel=1e-4)
    assert "preference/capped_ratio" not in first


@pytest.mark.slow
def test_a_sampler_that_is_the_learner_trains_as_without(trained, logged, weights):
    """Its log-probabilities are the learner's within rounding, and so are the weights."""
    runs = {
        name: trained(name, *overrides, precision="float32")
        for name, overrides in {"off": (), "on": ("sources.rollouts.correction=token",)}.items()
    }
    for plain, weighed in zip(*(logged(run) for run in runs.values()), strict=True):
        assert of_term(weighed, "sampler_gap_max") < 1e-4
        assert of_term(weighed, "effective_sample_size") == pytest.approx(1, abs=1e-6)
        assert of_term(weighed, "capped_ratio") == 0
        assert weighed["grad_norm"] == pytest.approx(plain["grad_norm"], rel=1e-3)


@pytest.mark.slow
def test_several_updates_do_not_depend_on_the_micro_batch(trained, logged):
    sizes = {"one": 1, "whole": 100_000}
    one, whole = (
        logged(trained(name, CAPPED, TWICE, f"training.micro_batch_tokens={tokens}"))[0]
        for name, tokens in sizes.items()
    )
    assert 0.02 < of_term(whole, "capped_ratio") < 0.98
    assert of_term(whole, "clip_ratio") >= 0 and set(one) == set(whole)
    assert one == pytest.approx(whole, rel=1e-3, abs=1e-6)


@pytest.mark.slow
def test_two_and_two_steps_are_four_to_the_bit(trained, logged, weights, back_to_step_2):
    run = trained("run", CAPPED, TWICE)
    expected, lines = weights(run), logged(run)
    back_to_step_2(run)
    trained("run", CAPPED, TWICE)
    assert weights(run) == expected
    assert logged(run) == lines
    assert weights(trained("plain", TWICE)) != expected


@pytest.mark.parametrize(
    ("overrides", "kinds"),
    [
        ((), {"rollouts": "off", "demonstration_rollouts": "off"}),
        ((TOKEN,), {"rollouts": "token", "demonstration_rollouts": "off"}),
        (
            ("generation={kind: vllm, addresses: ['127.0.0.1:1']}", CAPPED),
            {"rollouts": "sequence", "demonstration_rollouts": "token"},
        ),
    ],
)
def test_what_is_not_named_follows_from_where_the_sampler_is(tiny_config, overrides, kinds):
    config = tiny_config("unified", "run", "model.path=tiny:teacher", *overrides)
    assert corrected(config, plan(config)) == kinds


@pytest.mark.parametrize("typed", ["=off", ".kind=off", "={kind: off}", "='off'"])
def test_off_is_what_it_looks_like(tiny_config, typed):
    """YAML reads a bare `off` as false."""
    served = "generation={kind: vllm, addresses: ['127.0.0.1:1']}"  # where token is the default
    config = tiny_config("grpo", "run", served, f"sources.rollouts.correction{typed}")
    assert corrected(config, plan(config)) == {"rollouts": "off"}


def test_only_what_is_corrected_carries_a_correction(assembled):
    for overrides, cap in (((), None), (("sources.rollouts.correction={cap: 3, kind: token}",), 3)):
        config, chat, policy = assembled("grpo", *overrides)
        method = plan(config)
        shared = make_shared(config, method, chat, policy, policy, "cpu")
        correction = make_sources(config, method, shared)["rollouts"].correction
        assert (correction and correction.keywords["cap"]) == cap
