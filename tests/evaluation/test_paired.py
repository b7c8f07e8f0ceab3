"""Differences on the same prompts: pairing, prompts as the unit, the bootstrap and the formula."""

import math
import random

import numpy as np
import pytest

from uniapl_cli.evaluation.estimates import estimate
from uniapl_cli.evaluation.paired import RESAMPLES, mean_interval, paired


def column(values, count=1.0):
    return {f"p{i}": (float(v) * count, count) for i, v in enumerate(values)}


def correlated(n, seed=0, same=0.84):
    """Right or wrong, and a second model that differs on few prompts."""
    draw = random.Random(seed)
    first = [float(draw.random() < 0.5) for _ in range(n)]
    second = [v if draw.random() < same else float(draw.random() < 0.5) for v in first]
    return first, second


def test_pairing_makes_the_error_as_small_as_it_is():
    """500 prompts: the closed form and the bootstrap agree, and the unpaired error is larger."""
    first, second = correlated(500)
    found = paired([column(first)], [column(second)])
    differences = np.array(second) - np.array(first)
    assert found.difference == pytest.approx(differences.mean())
    assert found.se == pytest.approx(differences.std(ddof=1) / math.sqrt(500))
    assert found.resampled.shape == (RESAMPLES,)
    assert found.resampled.std() == pytest.approx(found.se, rel=0.03)
    unpaired = math.hypot(*(estimate([column(v)]).se for v in (first, second)))
    assert unpaired > 2 * found.se
    assert found.low < found.difference < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.se, rel=0.06)
    assert found.first == sum(a > b for a, b in zip(first, second, strict=True))
    assert found.second == sum(a < b for a, b in zip(first, second, strict=True))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(60):
        first, second = correlated(100, seed, same=0.5)  # the true difference is 0
        found = paired([column(first)], [column(second)])
        held += found.low <= 0 <= found.high
    assert held >= 52


def test_a_model_beside_itself_differs_by_nothing():
    first, _ = correlated(50)
    found = paired([column(first)], [column(first)])
    assert (found.difference, found.se, found.low, found.high) == (0, 0, 0, 0)
    assert (found.first, found.second, found.n) == (0, 0, 50)


def test_the_order_of_prompts_is_of_no_matter_and_neither_is_the_day():
    first, second = correlated(80)
    a, b = column(first), column(second)
    turned = [dict(reversed(one.items())) for one in (a, b)]
    assert paired([a], [b]) == paired([turned[0]], [turned[1]]) == paired([a], [b])


def test_exchanged_models_change_the_sign():
    first, second = correlated(80)
    there, back = (paired([column(x)], [column(y)]) for x, y in ((first, second), (second, first)))
    assert there.difference == -back.difference and there.se == back.se
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert (there.first, there.second) == (back.second, back.first)


def test_draws_of_a_prompt_stay_together():
    """Four times the same answer is no more than one."""
    first, second = correlated(100)
    once = paired([column(first)], [column(second)])
    four = paired([column(first, 4.0)], [column(second, 4.0)])
    assert four.se == pytest.approx(once.se) and four.n == once.n
    assert (four.low, four.high) == pytest.approx((once.low, once.high))


def test_against_nothing_the_error_is_the_estimates_own():
    """Ratios, and the mean over columns that share prompts or do not."""
    draw = random.Random(1)
    ids = [f"p{i}" for i in range(60)]
    ratio = {id: (float(draw.randint(0, 3)), 3.0 if draw.random() < 0.5 else 5.0) for id in ids}
    halves = [{id: ratio[id] for id in ids[:20]}, {id: ratio[id] for id in ids[20:]}]
    shared = [ratio, {id: (1.0 - ratio[id][0] / 5, 1.0) for id in ids}]
    for columns in ([ratio], halves, shared):
        still = [{id: (0.0, share[1]) for id, share in column.items()} for column in columns]
        found, alone = paired(still, columns), estimate(columns)
        assert (found.difference, found.se, found.n) == pytest.approx(
            (alone.mean, alone.se, alone.n)
        )
        assert found.resampled.std() == pytest.approx(found.se, rel=0.05)


def test_subjects_keep_their_numbers_of_prompts():
    """The mean over subjects, one of which has a single prompt, is defined on every resample."""
    first = [column([1, 0, 1, 0]), {"alone": (1.0, 1.0)}]
    second = [column([1, 1, 1, 0]), {"alone": (0.0, 1.0)}]
    found = paired(first, second)
    assert np.isfinite(found.resampled).all()
    assert found.difference == pytest.approx((0.25 - 1) / 2)


def test_too_few_prompts_have_no_error():
    assert math.isnan(paired([column([1])], [column([0])]).se)
    assert paired([column([1])], [column([0])]).plain()["se"] is None
    assert paired([{}], [{}]).plain() | {"n": 0} == {
        **dict.fromkeys(("difference", "se", "low", "high")),
        **{"only_first": 0, "only_second": 0, "n": 0},
    }


def test_a_mean_of_benchmarks_has_the_interval_of_the_mean():
    parts = []
    for seed in range(3):
        first, second = correlated(200, seed)
        parts.append(paired([column(first)], [column(second)], seed))
    low, high = mean_interval(parts)
    se = math.sqrt(sum(part.se**2 for part in parts)) / 3
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.06)
