"""Distances of two samples: closed forms, what they do not depend on, and intervals that hold."""

import math
from functools import cache

import numpy as np
import pytest

from uniapl_cli.analysis import distances as of
from uniapl_cli.analysis.distances import distances, kolmogorov_smirnov, wasserstein


def by_prompt(values):
    return [[float(value)] for value in values]


def drawn(seed, n, scale=1.0, shape=0.6):
    """Lengths of n prompts, the teacher's and a model's, which go up and down together."""
    random = np.random.default_rng(seed)
    hard, own = random.standard_normal((2, n))
    teacher = np.exp(5 + 0.6 * hard).astype(int) + 1
    model = (scale * np.exp(5 + shape * (0.5 * hard + 0.75**0.5 * own))).astype(int) + 1
    return by_prompt(model), by_prompt(teacher)


@cache
def truth(scale, shape):
    model, teacher = (np.concatenate(side) for side in drawn(1, 400_000, scale, shape))
    return wasserstein(model, teacher), kolmogorov_smirnov(model, teacher)


def test_closed_forms():
    assert wasserstein([0, 1, 3], [5, 6, 8]) == 5  # moved by 5
    assert wasserstein([0, 1], [0, 0, 0, 4]) == pytest.approx(1)
    assert kolmogorov_smirnov([0, 1, 3], [5, 6, 8]) == 1
    assert kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    assert wasserstein([7], [7]) == kolmogorov_smirnov([7], [7]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_equal_sizes_are_sorted_pairs(seed):
    a, b = np.random.default_rng(seed).normal(0, (3, 5), (50, 2)).T
    assert wasserstein(a, b) == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean())
    grid = np.concatenate([a, b])
    shares = [(x[:, None] <= grid).mean(0) for x in (a, b)]
    assert kolmogorov_smirnov(a, b) == pytest.approx(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize("seed", range(3))
def test_of_scipy(seed):
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 40, 61), random.integers(5, 60, 97)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_a_metric():
    a, b, c = np.random.default_rng(0).normal((0, 1, 3), 2, (40, 3)).T
    for metric in (wasserstein, kolmogorov_smirnov):
        assert metric(a, a) == 0
        assert metric(a, b) == pytest.approx(metric(b, a))
        assert metric(a, c) <= metric(a, b) + metric(b, c) + 1e-9
    assert wasserstein(10 * a, 10 * b) == pytest.approx(10 * wasserstein(a, b))
    assert kolmogorov_smirnov(10 * a, 10 * b) == kolmogorov_smirnov(a, b)


def test_neither_the_order_nor_copies_change_a_distance():
    model, teacher = drawn(0, 30)
    area, height = distances(model, teacher)
    turned = [side[::-1] for side in (model, teacher)]
    assert [one.value for one in distances(*turned)] == pytest.approx([area.value, height.value])
    copied = distances([one * 3 for one in model], teacher)  # three equal responses a prompt
    assert [one.value for one in copied] == pytest.approx([area.value, height.value])
    assert distances(model, teacher) == (area, height)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "shape"), [(1, 0.6), (1.05, 0.6), (1.3, 0.6), (1, 0.8)])
def test_the_intervals_hold_the_truth(monkeypatch, scale, shape):
    """For equal distributions too, where percentiles of resampled distances never hold it."""
    monkeypatch.setattr(of, "resampled", few(300))
    held = np.zeros(2)
    for seed in range(60):
        found = distances(*drawn(seed + 2, 100, scale, shape))
        for one in found:
            assert 0 <= one.low <= one.value <= one.high
        held += [
            one.low <= true <= one.high
            for one, true in zip(found, truth(scale, shape), strict=True)
        ]
    assert held.min() >= 54


def few(resamples):
    from uniapl_cli.analysis import resampling

    def resampled(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resampling, "RESAMPLES", resamples)
            return resampling.resampled(*arguments)

    return resampled


def test_prompts_are_the_unit():
    """Copies of a prompt's responses are no more prompts; copies of prompts are."""
    model, teacher = drawn(3, 40, 1.2)
    widths = [one.high - one.low for one in distances(model, teacher)]
    copied = [one.high - one.low for one in distances([one * 4 for one in model], teacher)]
    more = [one.high - one.low for one in distances(model * 4, teacher * 4)]
    assert copied == pytest.approx(widths)
    assert more[1] < 0.75 * widths[1]


def test_one_prompt_tells_nothing_of_others():
    area, height = distances([[3, 5]], [[4]])
    assert (area.value, height.value) == (1, 0.5)
    assert not math.isnan(area.low)
