"""A config's sizes and choices reach the sources."""

import pytest

from uniapl_cli.build import models
from uniapl_cli.build.method import plan
from uniapl_cli.build.sources import make_sources, micro_batch_sizes, rollout_logps


@pytest.fixture
def built(tiny_config):
    """built(method, *overrides): the config, its policy and its sources."""

    def make(method, *overrides):
        config = tiny_config(method, "run", *overrides)
        policy = models.trained_policy(config)
        return config, policy, make_sources(config, plan(config), policy, None)

    return make


def test_rollouts_are_drawn_as_the_config_says(built):
    options = ["training.max_resamples=5", "training.mask_truncated_completions=true", "seed=7"]
    options += ["training.samples=6", "training.demonstration_samples=3"]
    _, _, sources = built("unified", *options, "sampling.temperature=0.7")
    rollouts, others = sources["rollouts"], sources["demonstration_rollouts"]
    assert (rollouts.samples, others.samples) == (6, 3)
    for source in (rollouts, others):
        assert (source.max_resamples, source.mask_truncated, source.seed) == (5, True, 7)
        assert source.sampling.temperature == 0.7
        assert set(source.signals) == {"verifier", "anchor"}
    assert (rollouts.stream, others.stream) == ("prompts", "demonstrations")


def test_nothing_is_masked_or_resampled_unless_told(built):
    _, _, sources = built("grpo")
    assert not sources["rollouts"].mask_truncated
    assert sources["rollouts"].signals["verifier"].zero_variance == "keep"


def test_responses_are_cut_only_where_the_config_has_them_cut(built):
    _, _, whole = built("sft")
    _, _, cut = built("sft", "data.overlong=truncate", "data.max_response_tokens=9")
    assert whole["demonstrations"].max_response_tokens is None
    assert cut["demonstrations"].max_response_tokens == 9


def test_a_source_may_have_micro_batches_of_its_own(built):
    sizes = "training.micro_batch_sizes={rollouts: 2}"
    config, policy, _ = built("grpo", sizes, "sampling.temperature=0.7")
    made = micro_batch_sizes(config)
    assert made["rollouts"] == 2
    assert {made[name] for name in made if name != "rollouts"} == {3}
    asked = rollout_logps(config, policy, policy)
    assert (asked.rows, asked.temperature) == (2, 0.7)
