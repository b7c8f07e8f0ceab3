"""A token is drawn by inverting the cumulative distribution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.generation.sampling import cut, draw, uniforms
from uniapl_cli.types import Sampling

LOGITS = torch.tensor([0.3, -1.0, 2.0, -torch.inf, 0.0, 1.1, -torch.inf])
vocabularies = st.lists(
    st.floats(-8, 8).map(lambda x: round(x, 2)), min_size=2, max_size=9, unique=True
)


def drawn(logits: torch.Tensor, uniform: torch.Tensor, **sampling: float) -> torch.Tensor:
    return draw(logits.expand(len(uniform), -1), uniform, Sampling(**sampling))[0]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_the_frequencies_are_the_probabilities(temperature):
    count = 100_000
    uniform = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    shares = drawn(LOGITS, uniform, temperature=temperature).bincount(minlength=7) / count
    expected = (LOGITS / temperature).softmax(-1)
    assert torch.allclose(shares, expected, atol=1.5 / count)


def test_a_token_owns_its_interval_of_the_cumulative_distribution():
    # Probabilities 1/2, 1/4, 1/4: the borders are exact in floating point.
    logits = torch.tensor([0.5, 0.25, 0.25]).log()
    uniform = torch.tensor([0.0, 0.49, 0.51, 0.74, 0.76, 0.999], dtype=torch.float64)
    assert drawn(logits, uniform).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("uniform", [0.0, 1e-300, 0.5, 1 - 2**-53, 1.0])
@pytest.mark.parametrize("alive", [0, 3, 6])
def test_a_token_of_probability_zero_is_never_drawn(alive, uniform):
    logits = torch.full((7,), -torch.inf)
    logits[alive] = 0.0
    assert drawn(logits, torch.tensor([uniform], dtype=torch.float64)).tolist() == [alive]


def test_rare_tokens_of_a_large_vocabulary_keep_their_share():
    # 2^16 tokens of 2^-26 behind one of the rest: float32 sums would make them one in four.
    logits = torch.full((2**16,), 2.0**-26).log()
    logits[0] = torch.tensor(1 - 2.0**-10).log()
    uniform = 1 - 2.0**-10 + (torch.arange(200, dtype=torch.float64) + 0.5) * 2.0**-26
    shares = logits.log_softmax(-1).double().exp().cumsum(-1)
    expected = torch.searchsorted(shares, uniform * shares[-1])
    assert expected.unique().numel() == 200
    assert torch.equal(drawn(logits, uniform), expected)


@settings(deadline=None)
@given(vocabularies, st.integers(0, 10))
def test_top_k_keeps_the_k_likeliest(values, k):
    logps = torch.tensor([values]).log_softmax(-1)
    likeliest = sorted(range(len(values)), key=lambda i: -values[i])
    expected = set(likeliest[:k] if k else likeliest)
    assert kept(cut(logps, Sampling(top_k=k))) == expected


@settings(deadline=None)
@given(vocabularies, st.floats(0.01, 0.99), st.integers(0, 5))
def test_top_p_keeps_the_fewest_that_reach_p_after_top_k(values, p, k):
    logps = torch.tensor([values]).log_softmax(-1)
    likeliest = sorted(range(len(values)), key=lambda i: -values[i])[: k or None]
    weights = logps[0, likeliest].double().exp()
    shares = (weights / weights.sum()).tolist()
    count = next(n for n in range(1, len(shares) + 1) if sum(shares[:n]) >= p or n == len(shares))
    assert kept(cut(logps, Sampling(top_p=p, top_k=k))) == set(likeliest[:count])


def kept(logps: torch.Tensor) -> set[int]:
    return set(logps[0].isfinite().nonzero().flatten().tolist())


def test_what_is_kept_is_drawn_in_proportion():
    uniform = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    shares = drawn(LOGITS, uniform, top_k=2).bincount(minlength=7) / 1000
    assert shares[2].item() == pytest.approx(1 / (1 + torch.tensor(-0.9).exp().item()), abs=2e-3)
    assert shares[2] + shares[5] == 1


def test_the_logp_is_the_policys_before_anything_is_cut_off():
    uniform = torch.tensor([0.7], dtype=torch.float64)
    ids, logps = draw(LOGITS[None], uniform, Sampling(temperature=2.0, top_k=1, top_p=0.1))
    assert ids.tolist() == [2]
    assert logps.item() == pytest.approx((LOGITS / 2).log_softmax(-1)[2].item())


def test_temperature_zero_takes_the_likeliest():
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    ids, logps = draw(logits, torch.rand(20).double(), Sampling(temperature=0))
    assert torch.equal(ids, logits.argmax(-1))
    assert torch.allclose(logps, logits.log_softmax(-1).amax(-1))


def test_half_precision_logits_are_drawn_in_full_precision():
    _, logps = draw(LOGITS[None].bfloat16(), torch.tensor([0.5]).double(), Sampling())
    assert logps.dtype == torch.float32


def test_a_rows_numbers_depend_on_its_own_seed_only():
    many = uniforms([5, 2**62, 7], 10)
    assert torch.equal(many[1], uniforms([2**62], 10)[0])
    assert torch.equal(many[2], uniforms([7, 5], 10)[0])
    assert torch.equal(many[:, :4], uniforms([5, 2**62, 7], 4))
    assert not torch.equal(many[0], many[2])


def test_the_numbers_are_uniform():
    numbers = uniforms(range(100), 200).flatten()
    assert numbers.dtype == torch.float64
    assert numbers.min() >= 0 and numbers.max() < 1
    ranks = numbers.sort().values
    expected = (torch.arange(20_000) + 0.5) / 20_000
    # Kolmogorov-Smirnov: beyond 1.95 / sqrt(n) in one of a thousand sets of uniform numbers.
    assert (ranks - expected).abs().max() < 1.95 / 20_000**0.5
