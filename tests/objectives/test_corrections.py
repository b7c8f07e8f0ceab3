"""Weights for a sampler that is not the learner: as the peers' formulas have them, and their laws.

What TRL makes of the same rollouts is in tests/parity. The formulas here are written down anew.
"""

import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, token_batch
from pydantic import ValidationError

from uniapl_cli.objectives import corrections
from uniapl_cli.statistic import Maximum, SampleSize

CASES = {
    "token": {},
    "token, cap": {"cap": 1.2},
    "token, no cap": {"cap": None},
    "token, floor": {"cap": 1.2, "floor": 0.8},
    "token, mask": {"cap": 1.2, "mask": True},
    "token, mask, floor": {"cap": 1.2, "floor": 0.8, "mask": True},
    "token, floor alone": {"cap": None, "floor": 0.8, "mask": True},
    "sequence": {},
    "sequence, cap": {"cap": 1.1},
    "sequence, mask": {"cap": 1.1, "floor": 0.9, "mask": True},
    "sequence, mean": {"cap": 1.1, "ratio": "mean"},
}


def correction(case):
    kind, options = case.partition(",")[0], CASES[case]
    return corrections.bind(corrections.options(kind, **options))


def off_policy(lengths=(1, 12, 3, 1, 7), scale=0.3, correction=None):
    """Return rows whose sampler is off by `scale` nats a token, and the learner's logps."""
    batch = token_batch(list(lengths))
    rng = torch.Generator().manual_seed(5)
    noise = torch.randn(batch.loss_mask.shape, dtype=torch.float64, generator=rng)
    start = batch.old_logps + scale * noise * batch.loss_mask
    return replace(batch, correction=correction), start


# (log p / q of each token) -> the weights of the tokens.
GOLDEN = [
    ("token", {}, [0.5, 1.0, 3.0], [0.5, 1.0, 2.0]),
    ("token", {"cap": 3.0}, [0.5, 1.0, 3.0], [0.5, 1.0, 3.0]),
    ("token", {"cap": None}, [0.5, 9.0, 3.0], [0.5, 9.0, 3.0]),
    ("token", {"mask": True}, [0.5, 1.0, 3.0], [0.5, 1.0, 0.0]),
    ("token", {"mask": True, "floor": 0.8}, [0.5, 1.0, 3.0], [0.0, 1.0, 0.0]),
    ("token", {"floor": 0.8}, [0.5, 1.0, 3.0], [0.8, 1.0, 2.0]),
    ("sequence", {}, [0.5, 1.0, 3.0], [1.5] * 3),
    ("sequence", {"cap": 1.2}, [0.5, 1.0, 3.0], [1.2] * 3),
    ("sequence", {"cap": 1.2, "mask": True}, [0.5, 1.0, 3.0], [0.0] * 3),
    ("sequence", {"ratio": "mean"}, [0.5, 1.0, 8.0], [4 ** (1 / 3)] * 3),
    ("sequence", {"floor": 0.5, "mask": True}, [0.5, 0.5, 1.0], [0.0] * 3),
]


@pytest.mark.parametrize(("kind", "options", "ratios", "weights"), GOLDEN)
def test_the_weights_by_hand(kind, options, ratios, weights):
    bound_ = corrections.bind(corrections.options(kind, **options))
    log_ratio = torch.tensor([[0.0, *map(math.log, ratios), 5.0]], dtype=torch.float64)
    mask = torch.tensor([[False, True, True, True, False]])
    _, found = bound_(log_ratio, mask)
    assert found.expand(1, 5)[mask].tolist() == pytest.approx(weights)


def verl(log_ratio, mask, level, upper, lower=None):
    """verl's rollout_is: exp of the log-ratio or of its sum, held within e^20; a lower threshold
    makes it IcePop, which has 0 outside of both."""
    chosen = log_ratio if level == "token" else (log_ratio * mask).sum(-1, keepdim=True)
    raw = chosen.clamp(-20, 20).exp().expand_as(log_ratio) * mask
    if lower is None:
        return raw.clamp(max=upper)
    return torch.where((raw >= lower) & (raw <= upper), raw, 0.0)


def verl_sample_size(weights, mask):
    mean = (weights * mask).sum() / mask.sum()
    return float(1 / (((weights / mean).square() * mask).sum() / mask.sum()))


@pytest.mark.parametrize(
    ("level", "upper", "lower"),
    [
        ("token", 2.0, None),
        ("token", 1.1, None),
        ("token", 1.2, 0.8),
        ("sequence", 2.0, None),
        ("sequence", 1.5, 0.6),
    ],
)
def test_the_weights_are_verls(level, upper, lower):
    options = {"cap": upper, **({} if lower is None else {"floor": lower, "mask": True})}
    batch, start = off_policy()
    log_ratio, mask = start - batch.old_logps, batch.loss_mask
    _, weights = corrections.bind(corrections.options(level, **options))(log_ratio, mask)
    theirs = verl(log_ratio, mask, level, upper, lower)
    assert torch.allclose(weights.expand_as(mask)[mask], theirs[mask], rtol=1e-12)
    assert (theirs[mask] == 0).any() == (lower is not None)


def test_the_sample_size_is_verls_where_nothing_is_capped():
    batch, start = off_policy()
    ratio, _ = correction("token, no cap")(start - batch.old_logps, batch.loss_mask)
    ours = SampleSize.of(ratio, batch.loss_mask).value
    assert 0.5 < ours < 0.99
    assert ours == pytest.approx(verl_sample_size(ratio, batch.loss_mask), rel=1e-12)


def prime_rl(logps, old_logps, advantages, mask, kind, low, high):
    """prime-rl's loss without its KL: the ratio to the sampler itself, 0 outside of two bounds.

    A response's ratio is the sum's, held constant; each of its tokens has the slope of its own.
    """
    log_ratio = logps - old_logps
    if kind == "sequence":
        total = (log_ratio * mask).sum(1, keepdim=True).detach()
        log_ratio = logps - logps.detach() + total
    ratio = log_ratio.exp()
    kept = mask & (ratio >= low) & (ratio <= high)
    return (-ratio * advantages.unsqueeze(1))[kept].sum()


@pytest.mark.parametrize(("kind", "low", "high"), [("token", 0.8, 1.3), ("sequence", 0.5, 1.6)])
def test_the_gradient_of_one_update_is_prime_rls(kind, low, high):
    masked = corrections.bind(corrections.options(kind, cap=high, floor=low, mask=True))
    batch, start = off_policy(correction=masked)
    theirs, ours = (start.clone().requires_grad_() for _ in range(2))
    advantages = batch.advantages["worth"]
    expected = prime_rl(theirs, batch.old_logps, advantages, batch.loss_mask, kind, low, high)
    expected.backward()
    loss = (bound("surrogate")(ours, batch).per_token * batch.loss_mask).sum()
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12)
    counted = theirs.grad[batch.loss_mask]
    assert (counted == 0).any() and (counted != 0).any()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("told", [-math.inf, -1e4, 1e4])
def test_what_a_sampler_says_of_masked_tokens_changes_nothing(case, told):
    """Of a response that is left out of every loss too."""
    batch, start = off_policy()
    mask = batch.loss_mask.clone()
    mask[1] = False
    found = []
    for old in (batch.old_logps, batch.old_logps.masked_fill(~mask, told)):
        logps = start.masked_fill(~mask, 0.0).requires_grad_()
        one = replace(batch, loss_mask=mask, old_logps=old, correction=correction(case))
        loss = (bound("surrogate")(logps, one).per_token * mask).sum()
        loss.backward()
        found.append((loss, logps.grad))
    (loss, grad), (other, other_grad) = found
    assert torch.equal(loss, other) and torch.equal(grad, other_grad)
    assert not grad[1].any() and grad.any()


@pytest.mark.parametrize("case", CASES)
def test_where_the_sampler_is_the_learner_nothing_changes_to_the_bit(case):
    batch, _ = off_policy()
    results = []
    for one in (batch, replace(batch, correction=correction(case))):
        logps = batch.old_logps.clone().requires_grad_()
        result = bound("surrogate")(logps, one)
        (result.per_token * batch.loss_mask).sum().backward()
        results.append((result.per_token, logps.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))
    assert results[0][1].any()


@pytest.mark.parametrize("case", CASES)
def test_the_weight_is_held_constant_and_the_ratio_is_the_learners_own(case):
    """Off by 0.3 nats a token, nothing is clipped at the first update: the slope is -w A."""
    batch, start = off_policy(correction=correction(case))
    logps = start.clone().requires_grad_()
    result = bound("surrogate")(logps, batch)
    (result.per_token * batch.loss_mask).sum().backward()
    _, weights = batch.correction(start - batch.old_logps, batch.loss_mask)
    slope = -weights * batch.advantages["worth"].unsqueeze(1) * batch.loss_mask
    assert torch.allclose(logps.grad, slope, rtol=1e-12)
    assert not result.metrics["clip_ratio"].any()
    assert bound("surrogate")(start, replace(batch, correction=None)).metrics["clip_ratio"].any()


def test_later_updates_are_clipped_against_the_start_and_weighed_as_the_first():
    batch, start = off_policy(correction=correction("token, cap"))
    batch = replace(batch, start_logps=start)
    _, weights = batch.correction(start - batch.old_logps, batch.loss_mask)
    moved = start + 0.1
    result = bound("surrogate")(moved, batch)
    advantages = batch.advantages["worth"].unsqueeze(1)
    expected = -weights * math.exp(0.1) * advantages
    mask = batch.loss_mask
    assert torch.allclose(result.per_token[mask], expected[mask], rtol=1e-12)
    far = bound("surrogate")(start + 0.5, batch)
    up = (advantages > 0).expand_as(mask) & mask
    assert far.metrics["clip_ratio"][up].all() and up.any()


@pytest.mark.parametrize("case", CASES)
def test_what_is_logged_of_a_correction(case):
    batch, start = off_policy(correction=correction(case))
    found = bound("surrogate")(start, batch).statistics(batch.loss_mask)
    ratio, weights = batch.correction(start - batch.old_logps, batch.loss_mask)
    counted = batch.loss_mask if ratio.shape[1] > 1 else batch.loss_mask.any(1, keepdim=True)
    gap = (start - batch.old_logps)[batch.loss_mask].abs()
    assert found["sampler_gap"].value == pytest.approx(float(gap.mean()))
    assert found["sampler_gap_max"].value == pytest.approx(float(gap.max()))
    changed = (ratio != weights)[counted].double().mean()
    assert found["capped_ratio"].value == pytest.approx(float(changed))
    n, w = int(counted.sum()), ratio[counted]
    size = float(w.sum() ** 2 / (n * w.square().sum()))
    assert found["effective_sample_size"].value == pytest.approx(size)


@pytest.mark.parametrize("log_ratio", [1e4, -1e4])
@pytest.mark.parametrize("case", CASES)
def test_a_sampler_that_is_another_model_stays_finite(case, log_ratio):
    batch, start = off_policy(correction=correction(case))
    batch = replace(batch, old_logps=(batch.old_logps.float() - log_ratio), ref_logps=None)
    logps = start.float().requires_grad_()
    result = bound("surrogate")(logps, batch)
    (result.per_token * batch.loss_mask).sum().backward()
    assert result.per_token.isfinite().all() and logps.grad.isfinite().all()
    assert all(math.isfinite(s.value) for s in result.statistics(batch.loss_mask).values())


def test_padding_and_prompts_do_not_count():
    whole, start = off_policy((4,))
    for case in CASES:
        log_ratio = start - whole.old_logps
        _, expected = correction(case)(log_ratio, whole.loss_mask)
        wild = torch.where(whole.loss_mask, log_ratio, 3.0)
        _, found = correction(case)(wild, whole.loss_mask)
        mask = whole.loss_mask if found.shape[1] > 1 else slice(None)
        assert torch.equal(found[mask], expected[mask])


@pytest.mark.parametrize(
    "options",
    [
        {"cap": 0.9},
        {"floor": 1.1},
        {"floor": -0.1},
        {"cap": None, "mask": True},
        {"cap": float("nan")},
        {"ratio": "product"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError):
        corrections.options("sequence", **options)


def test_statistics_of_parts_are_those_of_the_whole():
    rng = torch.Generator().manual_seed(0)
    values = torch.rand(6, 5, dtype=torch.float64, generator=rng)
    mask = torch.rand(6, 5, generator=rng) < 0.6
    mask[4:] = False
    for kind in (Maximum, SampleSize):
        whole = kind.of(values, mask)
        for size in (1, 2, 4):
            first, *rest = (
                kind.of(v, m) for v, m in zip(values.split(size), mask.split(size), strict=True)
            )
            assert sum(rest, start=first).value == pytest.approx(whole.value, rel=1e-12)
    assert SampleSize.of(torch.tensor([[4.0, 0, 0, 0]]), torch.ones(1, 4).bool()).value == 0.25
    assert SampleSize.of(values, mask & False).value == 1.0
