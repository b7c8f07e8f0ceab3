"""Distillation's losses and gradients are those of TRL's own functions, on random distributions."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from uniapl_cli.objectives import objectives
from uniapl_cli.objectives.divergence import apart, likeliest, slope, top_slope
from uniapl_cli.tensors import TokenBatch

ROWS, VOCABULARY = 7, 23


@pytest.fixture(params=[1.0, 6.0])
def logits(request):
    """Of a policy, to differentiate by, and of a teacher; mild and sharp, in float64."""
    rng = torch.Generator().manual_seed(0)
    made = request.param * torch.randn(2, 1, ROWS, VOCABULARY, dtype=torch.float64, generator=rng)
    return made[0].requires_grad_(), made[1]


def both(logits, temperature=1.0):
    """Return the two as log-probabilities (ROWS, VOCABULARY), without gradients."""
    return ((part.detach()[0] / temperature).log_softmax(-1) for part in logits)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_gkd(trl, logits, beta, temperature):
    from trl.experimental.gkd import GKDTrainer

    options = {"beta": beta, "temperature": temperature, "reduction": "batchmean"}
    labels = torch.zeros(1, ROWS, dtype=torch.long)
    theirs = GKDTrainer.generalized_jsd_loss(*logits, labels=labels, **options)
    theirs.backward()
    s, t = both(logits, temperature)
    assert float(apart(s, t, beta).mean()) == pytest.approx(float(theirs.detach()), rel=1e-6)
    ours = slope(s, t, beta) / temperature / ROWS
    assert torch.allclose(ours, logits[0].grad[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tail", [True, False])
@pytest.mark.parametrize("top_k", [1, 5])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_sdpo_and_sdft(trl, logits, beta, top_k, tail):
    from trl.experimental.sdpo.loss_utils import compute_topk_self_distillation_loss

    theirs = compute_topk_self_distillation_loss(
        *logits,
        distillation_topk=top_k,
        distillation_alpha=beta,
        distillation_add_tail=tail,
    )
    theirs.sum().backward()
    s, t = both(logits)
    top_s, top_t, _ = likeliest(s, t, top_k, tail)
    assert torch.allclose(apart(top_s, top_t, beta), theirs.detach()[0], rtol=1e-6, atol=1e-9)
    ours, theirs = top_slope(s, t, beta, top_k, tail), logits[0].grad[0]
    sure = s.topk(top_k, 1).values.logsumexp(1) > -1e-6  # of these the tail is bounded
    assert torch.allclose(ours[~sure], theirs[~sure], rtol=1e-6, atol=1e-9)


def test_iw_opd(trl):
    from trl.experimental.iw_opd import IWOPDTrainer

    rng = torch.Generator().manual_seed(0)
    shape = 2, ROWS, VOCABULARY
    leaf = torch.randn(shape, dtype=torch.float64, generator=rng).requires_grad_()
    teacher = torch.randn(shape[:2], dtype=torch.float64, generator=rng) - 3
    tokens = torch.randint(VOCABULARY, shape[:2], generator=rng)
    mask = torch.arange(ROWS) < torch.tensor([[ROWS], [4]])
    trainer = SimpleNamespace(
        iw_opd_gamma=0.5,
        iw_opd_epsilon=1e-8,
        temperature=1.0,
        model=SimpleNamespace(training=True),
        _metrics={"train": defaultdict(list)},
    )
    labels = torch.where(mask, tokens, -100)
    theirs = IWOPDTrainer._compute_iw_opd_loss(trainer, leaf, tokens, labels, teacher)
    (expected,) = torch.autograd.grad(theirs, leaf)
    logps = leaf.log_softmax(-1).gather(2, tokens.unsqueeze(2)).squeeze(2)
    columns = torch.cat([torch.zeros(2, 1, dtype=torch.long), tokens], 1)
    batch = TokenBatch(columns, mask, old_logps=logps.detach(), references={"teacher": teacher})
    options = objectives.options("distil", reference="teacher", progress=0.5)
    losses = objectives.bind(options)(logps, batch).per_token
    (found,) = torch.autograd.grad((losses * mask).sum() / mask.sum(), leaf)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)
