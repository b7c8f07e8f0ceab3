"""Divergences are those of the peers' own functions, and their slopes are autograd's."""

import math

import pytest
import torch
from torch.nn.functional import kl_div

from uniapl_cli.objectives.divergence import apart, likeliest, slope, top_slope

STUDENT = [[-1.463, -1.163, -0.321, 0.552], [-1.084, -1.163, -0.805, 0.773]]
TEACHER = [[-0.124, 1.134, -1.404, -0.653], [1.385, 0.493, -1.115, -0.455]]
# What TRL's GKDTrainer.generalized_jsd_loss makes of these logits: the mean, and its gradient.
GKD = {
    0.0: (
        1.08625154744,
        [-0.0543299357338, -0.274663064928, 0.0948401717295, 0.234152828932],
    ),
    0.1: (
        0.0934086101108,
        [-0.00507064218506, -0.0205164154238, 0.00733419068808, 0.0182528669208],
    ),
    0.5: (
        0.244452265849,
        [-0.0150003484072, -0.0399679508525, 0.0153251799789, 0.0396431192808],
    ),
    1.0: (
        1.11040991907,
        [-0.0752691505229, -0.151402600559, 0.0564015817349, 0.170270169347],
    ),
}
# What TRL's compute_topk_self_distillation_loss makes of them: KL(s || t), top 2 and a tail.
SDPO = [1.05584467349, 1.13039654002]
BETAS = [0.0, 0.1, 0.5, 0.9, 1.0]


def logps(logits):
    return torch.tensor(logits, dtype=torch.float64).log_softmax(1)


@pytest.fixture(params=[1, 20])
def pair(request):
    """Logits of a policy and of a reference, mild and sharp, in float64."""
    rng = torch.Generator().manual_seed(0)
    made = request.param * torch.randn(2, 6, 11, dtype=torch.float64, generator=rng)
    return made[0].requires_grad_(), made[1]


@pytest.mark.parametrize("beta", GKD)
def test_it_is_gkds_in_value_and_gradient(beta):
    s, t = logps(STUDENT), logps(TEACHER)
    value, gradient = GKD[beta]
    assert float(apart(s, t, beta).mean()) == pytest.approx(value, rel=1e-10)
    assert (slope(s, t, beta)[0] / 2).tolist() == pytest.approx(gradient, rel=1e-9)


def test_the_top_and_a_tail_are_sdpos():
    s, t, chosen = likeliest(logps(STUDENT), logps(TEACHER), 2, True)
    assert chosen.tolist() == [[3, 2], [3, 2]]
    assert s.exp().sum(1).tolist() == pytest.approx([1, 1])
    assert apart(s, t, 1.0).tolist() == pytest.approx(SDPO, rel=1e-10)


@pytest.mark.parametrize("beta", BETAS)
def test_a_slope_is_autograds(pair, beta):
    mine, theirs = pair
    apart(mine.log_softmax(1), theirs.log_softmax(1), beta).sum().backward()
    found = slope(mine.detach().log_softmax(1), theirs.log_softmax(1), beta)
    assert torch.allclose(found, mine.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tail", [True, False])
@pytest.mark.parametrize("top_k", [1, 4, 10])
@pytest.mark.parametrize("beta", BETAS)
def test_a_slope_over_the_top_is_autograds(pair, beta, top_k, tail):
    mine, theirs = pair
    s, t, _ = likeliest(mine.log_softmax(1), theirs.log_softmax(1), top_k, tail)
    apart(s, t, beta).sum().backward()
    known = mine.detach().log_softmax(1)
    sure = (known.topk(top_k, 1).values.logsumexp(1) > -1e-6).unsqueeze(1)  # the tail is bounded
    found = top_slope(known, theirs.log_softmax(1), beta, top_k, tail)
    off = (found - mine.grad).masked_fill(sure, 0).abs()
    assert (off <= 1e-12 + 1e-7 * mine.grad.abs()).all()


@pytest.mark.parametrize("beta", BETAS)
def test_nothing_is_apart_from_itself_and_all_else_is(pair, beta):
    mine, theirs = (p.detach().log_softmax(1) for p in pair)
    assert apart(mine, mine, beta).abs().max() < 1e-12
    assert slope(mine, mine, beta).abs().max() < 1e-12
    assert (apart(mine, theirs, beta) > 0).all()
    assert slope(mine, theirs, beta).sum(1).abs().max() < 1e-12


def test_its_ends_are_torchs_divergences(pair):
    mine, theirs = (p.detach().log_softmax(1) for p in pair)
    ends = {0.0: kl_div(mine, theirs, log_target=True, reduction="none").sum(1)}
    ends[1.0] = kl_div(theirs, mine, log_target=True, reduction="none").sum(1)
    for beta, expected in ends.items():
        assert torch.allclose(apart(mine, theirs, beta), expected)


@pytest.mark.parametrize("beta", BETAS)
def test_what_has_no_probability_is_no_nan(beta):
    s = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64).log()
    t = torch.tensor([[0.9, 0.1, 0.0]], dtype=torch.float64).log()
    assert apart(s, t, beta).tolist() == pytest.approx(apart(s[:, :2], t[:, :2], beta).tolist())
    assert slope(s, t, beta).isfinite().all()
    assert slope(s, t, beta)[0, 2] == 0


def test_the_docstrings_numbers():
    s, t = (torch.tensor([p]).log() for p in ([0.5, 0.5], [0.9, 0.1]))
    assert float(apart(s, t, 0.0)) == pytest.approx(0.3681, abs=1e-4)
    assert float(apart(s, t, 1.0)) == pytest.approx(0.5108, abs=1e-4)


def test_all_of_the_top_is_the_whole(pair):
    mine, theirs = (p.detach().log_softmax(1) for p in pair)
    s, t, _ = likeliest(mine, theirs, 11, False)
    assert torch.allclose(apart(s, t, 0.3), apart(mine, theirs, 0.3))
    assert math.isclose(float(s.exp().sum()), 6)
