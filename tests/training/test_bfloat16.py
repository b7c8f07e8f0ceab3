"""Under bfloat16 the laws of the gradient hold up to its rounding, and heads are not rounded."""

from dataclasses import replace

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli.batches import PairBatch
from uniapl_cli.chat import Chat
from uniapl_cli.discriminators.polar.polar import new_polar
from uniapl_cli.generation import packing
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.objectives import objectives
from uniapl_cli.precision import arithmetic
from uniapl_cli.precision import resolve as resolve_precision
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.discriminator import TrainableDiscriminator
from uniapl_cli.training.logps import token_logps
from uniapl_cli.training.policy import Policy, load_policy
from uniapl_cli.training.terms import Term
from uniapl_cli.types import Sampling

# A bfloat16 number is right to 1 in 256, and so is a gradient of such products.
ROUNDING = 2.0**-8
# What a few layers of them make of a log-probability, a token.
LOGPS = 0.03
LENGTHS = [1, 30, 2, 17, 1, 5]
OBJECTIVES = {
    "nll": objectives["nll"].definition,
    "surrogate": objectives.bind(objectives.options("surrogate", reward="verifier")),
}


@pytest.fixture(scope="module")
def batch(new_batch):
    """Rows that the shipped base sampled, as far as their log-probabilities go."""
    drawn = new_batch(LENGTHS)
    logps = load_policy(resolve("tiny:base"), "cpu", "float32").forward(drawn)
    return replace(drawn, old_logps=logps.detach())


def gradient(batch, weights, size=6, precision="bfloat16"):
    """Return the gradient of the shipped base as one vector, and the means."""
    policy = load_policy(resolve("tiny:base"), "cpu", precision)
    terms = [Term(name, "rows", lambda values: 0.0, OBJECTIVES[name]) for name in weights]
    means = accumulated_means(policy, terms, weights, {"rows": batch}, size)
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()]), means


def close(one, other, tolerance=ROUNDING):
    return (one - other).norm() < tolerance * other.norm()


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_micro_batch_changes_no_more_than_rounding(batch, name, size):
    expected, whole = gradient(batch, {name: 1.0})
    result, means = gradient(batch, {name: 1.0}, size)
    assert close(result, expected)
    assert means[name].value == pytest.approx(whole[name].value, abs=ROUNDING)


def test_the_gradient_is_the_weighted_sum_of_its_terms(batch):
    weights = {"nll": 0.3, "surrogate": 0.7}
    whole, _ = gradient(batch, weights, 2)
    parts = [weight * gradient(batch, {name: 1.0}, 2)[0] for name, weight in weights.items()]
    assert close(whole, sum(parts))


def test_the_same_step_twice_has_the_same_bits(batch):
    assert torch.equal(gradient(batch, {"nll": 1.0}, 2)[0], gradient(batch, {"nll": 1.0}, 2)[0])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_and_gradients_are_those_of_float32_up_to_rounding(batch, name):
    (half, means), (full, exact) = (
        gradient(batch, {name: 1.0}, precision=precision) for precision in ("bfloat16", "float32")
    )
    assert not torch.equal(half, full)
    assert close(half, full, 8 * ROUNDING)
    assert means[name].value == pytest.approx(exact[name].value, abs=LOGPS)


def test_weights_and_their_gradients_stay_float32(batch):
    policy = load_policy(resolve("tiny:base"), "cpu", "bfloat16")
    policy.forward(batch).sum().backward()
    for weight in policy.model.parameters():
        assert weight.dtype is weight.grad.dtype is torch.float32


@pytest.mark.parametrize("chunks", [1, 16, 64])
def test_the_heads_product_and_gradient_are_float32_in_however_many_chunks(chunks):
    """Rounded to bfloat16 and summed in it, the gradient would be off by 0.3%, by more in more."""
    rng = torch.Generator().manual_seed(0)
    rows, width, vocabulary = 256, 32, 512
    hidden, weight = (torch.randn(n, width, generator=rng) for n in (rows, vocabulary))
    targets = torch.randint(vocabulary, (rows,), generator=rng)
    budget = vocabulary * rows // chunks
    (logps, slope), (exact, expected) = (
        head_gradient(hidden.to(dtype), weight.to(dtype), targets, budget, precision)
        for dtype, precision in ((torch.float32, "bfloat16"), (torch.float64, "float32"))
    )
    assert torch.allclose(logps, exact, atol=1e-4)
    assert close(slope.double(), expected, 1e-5)


def head_gradient(hidden, weight, targets, budget, precision):
    weight = weight.clone().requires_grad_()
    with arithmetic(precision, "cpu"):
        logps = token_logps(hidden, weight, targets, budget=budget)
    logps.sum().backward()
    return logps.detach(), weight.grad


def test_a_heads_logits_are_the_same_whatever_the_arithmetic():
    head = load_policy(resolve("tiny:base"), "cpu").net.head
    hidden = torch.randn(5, head.weight.shape[1], generator=torch.Generator().manual_seed(0))
    with arithmetic("bfloat16", "cpu"):
        half = head(hidden)
    assert torch.equal(half, head(hidden))


def test_a_discriminator_in_training_reads_its_scores_in_float32(polar):
    tokens = torch.randint(500, (3, 2, 9), generator=torch.Generator().manual_seed(0))
    batch = PairBatch(tokens, torch.full((3, 2), 9))
    trainable = TrainableDiscriminator(polar, "cpu", "bfloat16")
    weight = trainable.model.score.weight
    with arithmetic("bfloat16", "cpu"):
        hidden = polar.backbone(input_ids=tokens.flatten(0, 1)).last_hidden_state
    read = hidden[:, -1].detach()
    scores = trainable.forward(batch)
    scores.sum().backward()
    assert scores.dtype is read.dtype is torch.float32
    assert torch.allclose(scores.flatten(), read @ weight[0], atol=1e-5)
    assert close(weight.grad, read.sum(0, keepdim=True), 1e-5)


@pytest.fixture
def polar():
    """A new discriminator whose head is not zero any more."""
    polar = new_polar(resolve("tiny:base"), "<|reward|>", "<|score|>")
    rng = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(polar.model.score.weight, generator=rng)
    return polar


def test_sampler_and_learner_agree_and_so_does_a_frozen_copy(tokenizer):
    """Mean distance of log-probabilities a token; of equal bits where nothing is rounded anew."""
    policy = load_policy(resolve("tiny:base"), "cpu", "bfloat16")
    frozen = load_policy(resolve("tiny:base"), "cpu", "bfloat16", frozen=True)
    requests = [Request(tuple(range(40, 40 + n)), (n, n + 1)) for n in (5, 12, 30)]
    answers = [
        in_order(sampler(p, tokenizer).generate(requests, Sampling(max_new_tokens=24)), 3)
        for p in (policy, frozen)
    ]
    assert answers[0] == answers[1]
    gaps = []
    for request, completions in zip(requests, answers[0], strict=True):
        for answer in completions:
            tokens = torch.tensor([[*request.prompt_ids, *answer.token_ids]])
            mask = torch.arange(1, tokens.shape[1])[None] >= len(request.prompt_ids)
            own, again = (
                p.forward(TokenBatch(tokens, mask)).detach()[mask] for p in (policy, frozen)
            )
            assert torch.equal(own, again)
            gaps.append(own - torch.tensor(answer.logps))
    assert 0 < torch.cat(gaps).abs().mean() < LOGPS


def sampler(policy: Policy, tokenizer) -> LocalGenerator:
    return LocalGenerator(policy.model, Chat(tokenizer), precision=policy.precision)


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@torch.inference_mode()
def test_the_samplers_head_computes_as_the_learners_packed_or_not(monkeypatch, packs, precision):
    """Without oneDNN, as on CUDA, the rest is cast, and autocast must not take the head down."""
    if not packs:
        monkeypatch.setattr(packing, "_can_pack", lambda device, dtype: False)
    policy = load_policy(resolve("tiny:base"), "cpu", precision)
    ids = torch.tensor([[40, 41, 42]])
    packed = packing.PackedWeights(policy.model, resolve_precision(precision, "cpu"))
    with arithmetic(precision, "cpu"), packed.used():
        logits = policy.model(input_ids=ids).logits
        expected = policy.net.head(policy.net.backbone(input_ids=ids).last_hidden_state)
    assert logits.dtype is torch.float32
    assert torch.allclose(logits, expected, atol=1e-4)
    assert not torch.equal(logits, logits.bfloat16().float())
