"""What the head gives beside log-probabilities is that of all logits, in value and gradient."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from uniapl_cli.objectives.divergence import apart, likeliest
from uniapl_cli.readings import Divergence, Entropy, Reading
from uniapl_cli.training.adapter import Adapter, adapt
from uniapl_cli.training.beside import (
    ALIVE,
    DivergenceGauge,
    EntropyGauge,
    Teacher,
    gauge_of,
    token_values,
)
from uniapl_cli.training.policy import WithoutAdapter

ROWS, WIDTH, VOCABULARY = 10, 6, 41
BUDGETS = [10**6, 20 * VOCABULARY, 1]
GAUGES = {"entropy": EntropyGauge()}


@pytest.fixture
def inputs():
    """Hidden states, head, bias, targets, and what each value is worth."""
    rng = torch.Generator().manual_seed(0)
    shapes = (ROWS, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,)
    leaves = [torch.randn(shape, generator=rng).requires_grad_() for shape in shapes]
    targets = torch.randint(VOCABULARY, (ROWS,), generator=rng)
    return leaves, targets, torch.randn(2, ROWS, generator=rng)


def soft_cap(logits):
    return 2 * torch.tanh(logits / 2)


def entropy_of(logits):
    return torch.distributions.Categorical(logits=logits).entropy()


@pytest.mark.parametrize("finish", [None, soft_cap])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("budget", BUDGETS)
def test_values_and_gradients_are_those_of_all_logits(inputs, budget, temperature, finish):
    (hidden, weight, bias), targets, worth = inputs
    logits = hidden @ weight.T + bias
    logits = (finish(logits) if finish else logits) / temperature
    logps = logits.log_softmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)
    expected = logps, entropy_of(logits)
    options = {"bias": bias, "finish": finish, "temperature": temperature, "budget": budget}
    result = token_values(hidden, weight, targets, [EntropyGauge()], **options)
    for mine, theirs in zip(result, expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    for used in ([0, 1], [0], [1]):
        slopes = [
            torch.autograd.grad(
                sum((values[i] * worth[i]).sum() for i in used), inputs[0], retain_graph=True
            )
            for values in (result, expected)
        ]
        for mine, theirs in zip(*slopes, strict=True):
            assert (mine - theirs).norm() < 1e-5 * theirs.norm() + 1e-6


@pytest.mark.parametrize("name", GAUGES)
@pytest.mark.parametrize("scale", [0.1, 1, 30])
def test_a_slope_is_autograds_in_float64(name, scale):
    rng = torch.Generator().manual_seed(1)
    logits = scale * torch.randn(ROWS, VOCABULARY, dtype=torch.float64, generator=rng)
    logits.requires_grad_()
    gauge, everywhere = GAUGES[name], slice(None)
    gauge.value(logits.log_softmax(1), everywhere).sum().backward()
    slope = gauge.slope(logits.detach().log_softmax(1), everywhere)
    assert torch.allclose(slope, logits.grad, rtol=1e-10, atol=1e-13)
    assert slope.sum(1).abs().max() < 1e-12  # a constant added to all logits changes nothing


def test_entropies_of_what_is_sure_and_of_what_is_not():
    gauge, everywhere = EntropyGauge(), slice(None)
    logps = torch.tensor([[0.0, -math.inf, -math.inf], [math.log(0.5), math.log(0.5), -math.inf]])
    assert gauge.value(logps, everywhere).tolist() == pytest.approx([0, math.log(2)])
    assert gauge.slope(logps, everywhere).abs().max() < 1e-6  # both are at an extremum


class Largest(TorchDispatchMode):
    """Remembers the most numbers that any tensor as wide as the vocabulary had."""

    def __init__(self, vocabulary=VOCABULARY):
        super().__init__()
        self.elements, self.vocabulary = 0, vocabulary

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shape = getattr(result, "shape", ())
        heads = (WIDTH, VOCABULARY), (16, self.vocabulary)
        if shape[-1:] == (self.vocabulary,) and shape not in heads:
            self.elements = max(self.elements, result.numel())
        return result


def test_all_tensors_of_logits_together_are_within_the_budget(inputs):
    (hidden, weight, _), targets, worth = inputs
    budget = 3 * VOCABULARY * (ALIVE + 1)
    with Largest() as largest:
        values = token_values(hidden, weight, targets, [EntropyGauge()], budget=budget)
        (torch.stack(values) * worth).sum().backward()
    assert largest.elements == 3 * VOCABULARY


def test_no_tokens_have_no_values(inputs):
    (hidden, weight, _), targets, _ = inputs
    values = token_values(hidden[:0], weight, targets[:0], [EntropyGauge()])
    sum(value.sum() for value in values).backward()
    assert [value.shape for value in values] == [(0,), (0,)]
    assert weight.grad.norm() == 0


def test_a_reading_that_no_head_gives_is_refused(new_batch):
    with pytest.raises(TypeError, match="Reading"):
        gauge_of(Reading(), new_batch([1]))


def readings_of(policy, batch, reading, teacher):
    """Return what a policy reads of a batch, and what that is of all logits at once."""
    batch = batch.with_teachers({"other": teacher.teacher})
    found = policy.forward_with(batch, [reading])[1][reading]
    both = (m.model(batch.tokens[:, :-1]).logits.double() for m in (policy, teacher))
    s, t = ((logits / batch.temperature).log_softmax(-1).flatten(0, 1) for logits in both)
    if reading.top_k is not None:
        s, t, _ = likeliest(s, t, reading.top_k, reading.tail)
    return found, apart(s, t, reading.beta).reshape(batch.loss_mask.shape) * batch.loss_mask


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_k": 3, "tail": False}])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_a_policy_gives_its_divergences_from_another(sharp, new_batch, beta, options, temperature):
    policy, other = sharp(0), sharp(1)
    batch, reading = (
        new_batch([2, 9, 5], temperature=temperature),
        Divergence("other", beta, **options),
    )
    found, expected = readings_of(policy, batch, reading, other)
    assert torch.allclose(found.double(), expected, atol=1e-4, rtol=1e-4)
    slopes = [
        torch.autograd.grad(values.sum(), list(policy.model.parameters()))
        for values in (found, expected)
    ]
    for mine, theirs in zip(*slopes, strict=True):
        assert (mine - theirs).norm() < 1e-4 * theirs.norm() + 1e-5
    assert all(weight.grad is None for weight in other.model.parameters())


def test_a_policy_is_not_apart_from_itself(sharp, new_batch):
    policy = sharp(0)
    batch = new_batch([2, 9]).with_teachers({"self": policy.teacher})
    reading = Divergence("self", 1.0)
    found = policy.forward_with(batch, [reading])[1][reading]
    assert found.abs().max() < 1e-6
    found.sum().backward()
    assert sum(weight.grad.norm() for weight in policy.model.parameters()) < 1e-4


def test_what_only_one_vocabulary_is_padded_with_is_not_compared():
    rng = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(4, 6, generator=rng), torch.randn(9, 6, generator=rng)
    others, heads = torch.randn(4, 6, generator=rng), torch.randn(7, 6, generator=rng)
    gauge = DivergenceGauge(Teacher(others, heads), Divergence("other", 0.5))
    logits = (hidden @ weight.T).requires_grad_()
    value = gauge.value(logits.log_softmax(1), slice(None))
    expected = apart(logits[:, :7].log_softmax(1), (others @ heads.T).log_softmax(1), 0.5)
    assert torch.allclose(value, expected, atol=1e-6)
    expected.sum().backward()
    assert torch.allclose(
        gauge.slope(logits.detach().log_softmax(1), slice(None)), logits.grad, atol=1e-6
    )


def test_no_whole_distributions_of_a_batch_exist(sharp, new_batch, monkeypatch):
    policy, other = sharp(0), sharp(1)
    vocabulary = len(policy.net.head.weight)
    monkeypatch.setitem(token_values.__kwdefaults__, "budget", 3 * vocabulary * (ALIVE + 1))
    batch = new_batch([9, 9]).with_teachers({"other": other.teacher})
    reading = Divergence("other", 0.5)
    with Largest(vocabulary) as largest:
        policy.forward_with(batch, [reading])[1][reading].sum().backward()
    assert largest.elements == 3 * vocabulary


@pytest.fixture
def sharp(new_policy):
    """sharp(seed): a random policy that has opinions."""

    def make(seed):
        policy = new_policy(seed)
        with torch.no_grad():
            for weight in policy.model.parameters():
                if weight.dim() == 2:
                    weight.mul_(8)
        return policy

    return make


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_policy_gives_the_entropies_of_its_model(new_policy, new_batch, temperature):
    policy, batch = new_policy(), new_batch([2, 17, 5], temperature=temperature)
    expected = entropy_of(policy.model(batch.tokens[:, :-1]).logits / temperature)
    logps, readings = policy.forward_with(batch, [Entropy()])
    entropies, mask = readings[Entropy()], batch.loss_mask
    assert torch.allclose(entropies[mask], expected[mask], atol=1e-5)
    assert torch.allclose(logps, policy.forward(batch), atol=1e-5)
    assert not entropies[~mask].any()
    assert entropies.requires_grad


def test_nothing_read_is_the_plain_pass_to_the_bit(new_policy, new_batch):
    policy, batch = new_policy(), new_batch([2, 17, 5])
    logps, readings = policy.forward_with(batch, [])
    assert torch.equal(logps, policy.forward(batch))
    assert readings == {}


def test_the_start_of_an_adapter_gives_its_own_entropies(new_policy, new_batch):
    policy, batch = new_policy(), new_batch([2, 17, 5])
    before = policy.forward_with(batch, [Entropy()])[1][Entropy()].detach()
    adapt(policy.model, Adapter(rank=2), 0)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if ".lora_B." in name:
                weight.normal_()
    found = WithoutAdapter(policy).forward_with(batch, [Entropy()])[1][Entropy()]
    assert torch.allclose(found, before, atol=1e-6)
    assert not found.requires_grad
    assert not torch.allclose(policy.forward_with(batch, [Entropy()])[1][Entropy()], before)
