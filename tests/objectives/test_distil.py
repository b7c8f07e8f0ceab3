"""On-policy distillation's advantages and gradients are those of the peers' own code."""

from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch

from uniapl_cli.objectives.distil import to_go, weighed
from uniapl_cli.tensors import START, TokenBatch
from uniapl_cli.training.terms import Term

STUDENT, TEACHER = [-0.3, -1.2, -0.1, -2.0], [-0.5, -0.4, -0.2, -3.0]
# Tinker's advantages of these, and TRL's MiniLLM (0.9, normalised) and IW-OPD (0.5) of them.
ADVANTAGES = [-0.2, 0.8, -0.1, -1.0]
MINILLM = [-0.0843268391974, -0.0369003690037, -0.526315789474, -1.0]
IW_OPD = [-0.3, 1.1619047619, -0.12619047619, -1.2380952381]
# prime-rl's ref_kl_loss_fn: log-probabilities, its loss over four tokens, its gradient.
PRIME = [
    (
        ([-0.3, -0.8, -1.6, -1.9], [-0.3, -1.2, -0.1, -2.0], [-0.5, -0.4, -0.2, -3.0]),
        0.205344532707,
        [0.05, -0.148982469764, -0.00075, 0.303972002471],
    ),
    (
        ([-1.0, 0.2, -2.2, -0.3], [-1.0, -0.2, -0.7, -0.4], [-0.1, -1.5, -0.9, -0.4]),
        0.437259769449,
        [-0.225, 0.634225496498, -0.00075, 0.0276792729519],
    ),
]


def row(values):
    return torch.tensor([values], dtype=torch.float64)


def batch_of(sampler, teacher):
    mask = torch.ones(1, len(sampler), dtype=torch.bool)
    tokens = torch.zeros(1, len(sampler) + 1, dtype=torch.long)
    return TokenBatch(tokens, mask, old_logps=row(sampler), references={"teacher": row(teacher)})


def gradient(logps, batch, **options):
    """Return the mean loss and the gradient by the log-probabilities."""
    leaf = row(logps).requires_grad_()
    loss = bound("distil", reference="teacher", **options)(leaf, batch).per_token.mean()
    loss.backward()
    return float(loss.detach()), leaf.grad[0].tolist()


def test_on_policy_it_is_the_sampled_tokens_gap():
    loss, found = gradient(STUDENT, batch_of(STUDENT, TEACHER))
    assert loss == pytest.approx(0.125)
    assert found == pytest.approx([-a / 4 for a in ADVANTAGES])


@pytest.mark.parametrize(
    ("options", "advantages"),
    [({"discount": 0.9, "normalise": True}, MINILLM), ({"progress": 0.5}, IW_OPD)],
)
def test_later_and_earlier_tokens_count_as_in_the_peers(options, advantages):
    _, found = gradient(STUDENT, batch_of(STUDENT, TEACHER), **options)
    assert found == pytest.approx([-a / 4 for a in advantages], rel=1e-9)


@pytest.mark.parametrize(("logps", "loss", "slope"), PRIME)
def test_with_a_largest_drop_and_drift_it_is_prime_rls(logps, loss, slope):
    mine, sampler, teacher = logps
    batch = batch_of(sampler, teacher)
    options = {"against": "learner", "largest_drop": 0.2, "drift": 1e-3}
    found = gradient(mine, batch, **options)
    assert found[0] == pytest.approx(loss, rel=1e-9)
    assert found[1] == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("discount", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("normalise", [True, False])
def test_what_follows_is_summed_up_to_the_end(discount, normalise):
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(2, 13, dtype=torch.float64, generator=rng)
    mask = torch.arange(13) < torch.tensor([[13], [6]])
    found = to_go(values * mask, mask, discount, normalise)
    for r, length in enumerate([13, 6]):
        for t in range(length):
            powers = [discount**i for i in range(length - t)]
            total = sum(p * float(values[r, t + i]) for i, p in enumerate(powers))
            expected = total / sum(powers) if normalise else total
            assert float(found[r, t]) == pytest.approx(expected, abs=1e-12)
    assert not found[~mask].any()


def test_the_docstrings_numbers():
    mask = torch.ones(1, 2, dtype=torch.bool)
    sums, means = (to_go(row([1.0, 2.0]), mask, 0.9, normalise)[0] for normalise in (False, True))
    assert sums.tolist() == pytest.approx([2.8, 2.0])
    assert means.tolist() == pytest.approx([1.4737, 2.0], rel=1e-4)
    assert not weighed(row([0.0, 0.0]), mask, 0.5).any()


def test_a_token_may_earn_only_what_follows():
    options = {"discount": 1.0, "normalise": True, "own": False}
    _, found = gradient(STUDENT, batch_of(STUDENT, TEACHER), **options)
    means = [(0.8 - 0.1 - 1) / 3, (-0.1 - 1) / 2, -1.0, 0.0]
    assert found == pytest.approx([-mean / 4 for mean in means])
    with pytest.raises(ValueError, match="earn nothing"):
        bound("distil", reference=START, own=False)


def test_options_of_their_defaults_change_no_bit():
    batch = replace(token_batch([3, 9]), references={})
    logps = torch.randn(batch.loss_mask.shape, dtype=torch.float64)
    plain = bound("distil", reference=START)(logps, batch).per_token
    same = bound("distil", reference=START, largest_drop=1.0, discount=0.0)(logps, batch)
    assert torch.equal(plain, same.per_token)


def test_the_reference_is_the_one_that_is_named():
    batch = token_batch([3, 9])
    batch = replace(batch, references={"teacher": batch.ref_logps - 1})
    logps = torch.zeros(batch.loss_mask.shape, dtype=torch.float64)
    for kind in ("distil", "kl"):
        start, other = (bound(kind, reference=name)(logps, batch) for name in (START, "teacher"))
        assert not torch.equal(start.per_token, other.per_token)
    with pytest.raises(AssertionError):
        bound("kl", reference="nobody")(logps, batch)


def test_its_expected_gradient_is_the_divergences():
    """Over all tokens at their probabilities: the gradient of KL(policy || reference)."""
    rng = torch.Generator().manual_seed(0)
    logits, other = torch.randn(2, 7, dtype=torch.float64, generator=rng)
    logits.requires_grad_()
    s, t = logits.log_softmax(0), other.log_softmax(0)
    (expected,) = torch.autograd.grad((s.exp() * (s - t)).sum(), logits, retain_graph=True)
    shape = (7, 1)
    batch = TokenBatch(
        torch.zeros(7, 2, dtype=torch.long),
        torch.ones(shape, dtype=torch.bool),
        old_logps=s.detach().reshape(shape),
        references={"teacher": t.reshape(shape)},
    )
    term = Term("t", "s", lambda values: 1.0, bound("distil", reference="teacher"))
    losses = term.objective(s.reshape(shape), batch).per_token
    (found,) = torch.autograd.grad((s.detach().exp().reshape(shape) * losses).sum(), logits)
    assert torch.allclose(found, expected, atol=1e-12)
