"""A config's sizes and choices reach the sources."""

import pytest

from uniapl_cli.commands.method import plan
from uniapl_cli.commands.parts import make_shared, make_sources, micro_batch_tokens, rollout_logps


@pytest.fixture
def sources_of(assembled):
    """made(method, *overrides): the sources of a run."""

    def make(method, *overrides):
        config, chat, policy = assembled(method, *overrides)
        method = plan(config)
        shared = make_shared(config, method, chat, policy, None, "cpu")
        return make_sources(config, method, shared)

    return make


def test_rollouts_are_sampled_as_the_config_says(sources_of):
    common = "max_resamples: 5, mask_truncated_completions: true"
    sources = sources_of(
        "unified",
        f"sources.rollouts={{num_generations: 6, {common}}}",
        f"sources.demonstration_rollouts={{num_generations: 3, {common}}}",
        "seed=7",
        "sampling.temperature=0.7",
    )
    rollouts, others = sources["rollouts"], sources["demonstration_rollouts"]
    assert (rollouts.num_generations, others.num_generations) == (6, 3)
    for source in (rollouts, others):
        assert (source.max_resamples, source.mask_truncated, source.seed) == (5, True, 7)
        assert source.sampling.temperature == 0.7
        assert set(source.rewards) == {"verifier", "anchor"}
    assert (rollouts.stream, others.stream) == ("prompts", "demonstrations")


def test_nothing_is_masked_or_resampled_unless_told(sources_of):
    rollouts = sources_of("grpo")["rollouts"]
    assert not rollouts.mask_truncated
    assert rollouts.rewards["verifier"].zero_variance == "keep"


def test_a_source_may_have_another_name_than_its_kind(sources_of):
    own = "{kind: rollouts, num_generations: 3}"
    [source] = sources_of(
        "grpo", f"sources.mine={own}", "terms.preference.source=mine", "terms.kl=null"
    )
    assert source == "mine"


def test_a_source_may_have_micro_batches_of_its_own(assembled):
    own = "sources.rollouts.micro_batch_tokens=50"
    config, _, policy = assembled("grpo", own, "sampling.temperature=0.7")
    assert micro_batch_tokens(config, "rollouts", "cpu") == 50
    assert micro_batch_tokens(config, "demonstrations", "cpu") == 100
    logps = rollout_logps(config, policy, policy)
    assert (logps.tokens, logps.temperature) == (50, 0.7)


def test_a_gpu_takes_more_tokens_at_a_time_unless_the_config_says_how_many(assembled):
    config, _, _ = assembled("grpo", "training.micro_batch_tokens=null")
    cpu, cuda = (micro_batch_tokens(config, "rollouts", device) for device in ("cpu", "cuda"))
    assert 0 < cpu < cuda
