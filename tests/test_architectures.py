"""What holds of any architecture: sampler, learner and saved model are one policy."""

from __future__ import annotations

import math

import family_checks
import fixed_graph
import pytest
import torch
from architectures import ALL, NOT_SAMPLED, USUAL
from family_checks import new_generator, sampled, saved_again, trained

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.agreement import check_agreement
from uniapl_cli.generation.rows import Rows
from uniapl_cli.tensors import TokenBatch

SAMPLED = [name for name in ALL if name not in NOT_SAMPLED]


def marked(names):
    """The families as parameters, those that are not usual as slow ones."""
    return [pytest.param(name, marks=[] if name in USUAL else pytest.mark.slow) for name in names]


@pytest.fixture
def new(tokenizer):
    """new(family, precision): a policy of it."""
    return lambda family, precision="float32": family_checks.new_policy(
        family, tokenizer, precision
    )


@pytest.fixture
def batch(tokenizer):
    """Rows of three lengths."""
    return family_checks.new_batch(tokenizer)


@pytest.mark.parametrize("family", marked(SAMPLED))
def test_sampled_logps_are_those_of_a_forward_pass(family, new):
    answers, gaps = sampled(new(family))
    assert gaps.max() < 1e-4
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}


@pytest.mark.parametrize("family", marked(SAMPLED))
def test_in_bfloat16_they_are_so_up_to_rounding(family, new):
    # A router that chooses other experts for a token makes a difference of its own.
    assert sampled(new(family, "bfloat16"))[1].mean() < 0.04


@pytest.mark.parametrize("family", marked(SAMPLED))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_token_could_be_replayed_as_a_cuda_graph(family, precision, new, monkeypatch):
    """Nothing in it waits for the device, or depends on a number that only Python knows."""
    policy = new(family, precision)
    monkeypatch.setattr(Rows, "drop_idle", lambda _rows: None)  # nor are they with a graph
    expected = sampled(policy)[0]
    fixed_graph.use(monkeypatch)
    assert sampled(policy)[0] == expected


@pytest.mark.parametrize("family", marked(SAMPLED))
def test_a_response_ends_at_its_first_stop_id(family, new):
    policy = new(family)
    stops = new_generator(policy).stop_ids
    for answer in sampled(policy)[0]:
        ends = [token in stops for token in answer.token_ids]
        assert ends[-1] == (answer.finish_reason == "stop") and not any(ends[:-1])


@pytest.mark.parametrize("family", marked(ALL))
def test_padding_and_the_rows_beside_change_nothing(family, new, batch):
    policy = new(family)
    together = policy.forward(batch)
    for row, length in enumerate(batch.loss_mask.int().argmax(1) + batch.loss_mask.sum(1)):
        alone = TokenBatch(
            batch.tokens[row : row + 1, : length + 1], batch.loss_mask[row : row + 1, :length]
        )
        assert torch.allclose(policy.forward(alone)[0], together[row, :length], atol=1e-4)


@pytest.mark.parametrize("family", marked(ALL))
def test_gradients_are_those_of_the_models_own_logits(family, new, batch):
    policy = new(family)
    named = dict(policy.model.named_parameters())
    logps = policy.forward(batch)[batch.loss_mask]
    logits = policy.model(input_ids=batch.tokens[:, :-1], use_cache=False).logits.log_softmax(-1)
    own = logits.gather(2, batch.tokens[:, 1:, None]).squeeze(2)[batch.loss_mask]
    ours, theirs = (
        torch.autograd.grad(x.mean(), named.values(), allow_unused=True) for x in (logps, own)
    )
    for name, mine, whole in zip(named, ours, theirs, strict=True):
        if mine is None or whole is None:  # of a tower for images
            assert mine is whole, name
        else:
            assert (mine - whole).norm() <= 1e-4 * whole.norm() + 1e-6, name


@pytest.mark.parametrize("family", marked(ALL))
def test_a_trained_policy_comes_back_from_its_folder(family, new, batch, tmp_path):
    policy = new(family)
    losses = trained(policy, batch)
    assert all(map(math.isfinite, losses)) and losses[2] < losses[0]
    again = saved_again(policy, tmp_path / "final")
    assert torch.equal(again.forward(batch), policy.forward(batch))
    stops = policy.model.generation_config.eos_token_id
    assert again.model.generation_config.eos_token_id == stops


def check(policy, precision):
    check_agreement(lambda given: new_generator(policy, given), policy.model, precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", USUAL)
def test_a_model_that_is_sampled_right_is_taken(family, precision, new):
    check(new(family), precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", NOT_SAMPLED)
def test_a_model_that_cannot_be_sampled_right_is_refused_by_name(family, precision, new):
    policy = new(family)
    with pytest.raises(ModelError) as caught:
        check(policy, precision)
    assert caught.value.got == type(policy.model).__name__
