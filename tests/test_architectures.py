"""What holds of any architecture: sampler, learner and saved model are one policy."""

from __future__ import annotations

import pytest
import torch
from architectures import ALL, NOT_SAMPLED, USUAL, new_model

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation import Request
from uniapl_cli.generation.agreement import check_agreement
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy, load_policy, save_folder
from uniapl_cli.types import Sampling

SAMPLING = Sampling(temperature=0.8, max_new_tokens=20)
# Of different lengths, the longest beyond the sliding windows; three samples each.
REQUESTS = [
    Request(tuple(range(first, first + length)), tuple(range(first, first + 3)))
    for first, length in ((40, 3), (60, 23), (90, 10))
]
PADDING = 24  # rows of the head that stand for no token


def marked(names):
    """The families as parameters, those that are not usual as slow ones."""
    return [pytest.param(name, marks=[] if name in USUAL else pytest.mark.slow) for name in names]


@pytest.fixture
def new(tokenizer):
    """new(family): a policy of it whose vocabulary is padded and that has several stop ids."""

    def make(family):
        model = new_model(family, len(tokenizer) + PADDING)
        stops = range(0, len(tokenizer), 50)
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, *stops]
        return Policy(model, tokenizer)

    return make


@pytest.fixture
def batch(tokenizer):
    """Rows of three lengths."""
    tokens = torch.randint(len(tokenizer), (3, 25), generator=torch.Generator().manual_seed(0))
    places = torch.arange(24).expand(3, 24)
    return TokenBatch(tokens, (places > 1) & (places < torch.tensor([[24], [11], [3]])))


@pytest.mark.parametrize("family", marked(name for name in ALL if name not in NOT_SAMPLED))
def test_sampled_logps_are_those_of_a_forward_pass(family, new):
    policy = new(family)
    generator = LocalGenerator(policy.model, Chat(policy.tokenizer))
    answers = in_order(generator.generate(REQUESTS, SAMPLING), len(REQUESTS))
    for request, completions in zip(REQUESTS, answers, strict=True):
        for answer in completions:
            tokens = torch.tensor([[*request.prompt_ids, *answer.token_ids]])
            mask = torch.arange(1, tokens.shape[1])[None] >= len(request.prompt_ids)
            with torch.no_grad():
                own = policy.forward(TokenBatch(tokens, mask, temperature=0.8))[mask]
            assert torch.allclose(torch.tensor(answer.logps), own, atol=1e-4)
            ends = [token in generator.stop_ids for token in answer.token_ids]
            assert ends[-1] == (answer.finish_reason == "stop") and not any(ends[:-1])
    assert {answer.finish_reason for row in answers for answer in row} == {"stop", "length"}


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
    before = policy.forward(batch).detach()
    optimizer = torch.optim.SGD(policy.model.parameters(), 1e-2)
    for _ in range(2):
        (-policy.forward(batch).sum() / batch.loss_mask.sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    after = policy.forward(batch).detach()
    assert after.sum() > before.sum()
    save_folder(tmp_path / "final", policy.model, policy.tokenizer)
    again = load_policy(tmp_path / "final", "cpu")
    assert torch.equal(again.forward(batch), after)
    stops = policy.model.generation_config.eos_token_id
    assert again.model.generation_config.eos_token_id == stops


@pytest.mark.parametrize("family", USUAL)
def test_a_model_that_is_sampled_right_is_taken(family, new):
    policy = new(family)
    check_agreement(LocalGenerator(policy.model, Chat(policy.tokenizer)), policy.model, "float32")


@pytest.mark.parametrize("family", NOT_SAMPLED)
def test_a_model_that_cannot_be_sampled_right_is_refused_by_name(family, new):
    policy = new(family)
    with pytest.raises(ModelError) as caught:
        check_agreement(
            LocalGenerator(policy.model, Chat(policy.tokenizer)), policy.model, "float32"
        )
    assert caught.value.got == type(policy.model).__name__
