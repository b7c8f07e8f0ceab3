"""AUC overall and within prompts: by hand, by counting pairs, and with ties."""

import math

import numpy as np
import pytest

from uniapl_cli.analysis.agreement import overall, within
from uniapl_cli.analysis.report import words
from uniapl_cli.analysis.scores import Scored, compare_scores


def counted(scores, passed):
    """The share of pairs, counted one by one."""
    pairs = [
        (a > b) + (a == b) / 2
        for a, win in zip(scores, passed, strict=True)
        for b, other in zip(scores, passed, strict=True)
        if win and not other
    ]
    return sum(pairs) / len(pairs)


def test_by_hand():
    # passing 3, 1; failing 2, 0: three of four pairs are right, and both of prompt 1
    found = overall([3, 2, 1, 0], [True, False, True, False], [0, 0, 1, 1])
    assert (found.value, found.n, found.prompts) == (0.75, 4, 2)
    inside = within([3, 2, 1, 0], [True, False, True, False], [0, 0, 1, 1])
    assert (inside.value, inside.n, inside.prompts) == (1.0, 2, 2)
    assert overall([1, 1], [True, False], [0, 1]).value == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_all_pairs_are_counted(seed):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, 60).astype(float)
    passed = random.random(60) < 0.4
    prompt = random.integers(0, 15, 60)
    found = overall(scores, passed, prompt)
    assert found.value == pytest.approx(counted(scores, passed))
    assert found.low <= found.value <= found.high
    inside = within(scores, passed, prompt)
    by_prompt = [(scores[prompt == p], passed[prompt == p]) for p in range(15)]
    both = [(s, ok) for s, ok in by_prompt if 0 < ok.sum() < len(ok)]
    sizes = [ok.sum() * (~ok).sum() for _, ok in both]
    expected = sum(counted(s, ok) * n for (s, ok), n in zip(both, sizes, strict=True)) / sum(sizes)
    assert inside.value == pytest.approx(expected)
    assert (inside.n, inside.prompts) == (sum(sizes), len(both))


def test_only_the_order_counts():
    random = np.random.default_rng(0)
    scores, passed, prompt = random.normal(size=40), random.random(40) < 0.5, np.arange(40) // 4
    found = overall(scores, passed, prompt)
    assert overall(np.exp(scores), passed, prompt) == found
    assert overall(-scores, passed, prompt).value == pytest.approx(1 - found.value)
    turned = overall(scores[::-1], passed[::-1], prompt[::-1])
    assert turned.value == pytest.approx(found.value)


def test_a_prompt_that_is_easy_lifts_the_whole_and_not_the_inside():
    """Scores that only tell prompts apart know nothing of one prompt's responses."""
    scores = [5.0] * 4 + [1.0] * 4
    passed = [True, True, True, False] + [False, False, False, True]
    prompt = [0] * 4 + [1] * 4
    assert overall(scores, passed, prompt).value == pytest.approx(0.75)
    assert within(scores, passed, prompt).value == 0.5


@pytest.mark.parametrize("passes", [True, False])
def test_one_class_has_no_pairs(passes):
    for found in (
        overall([1, 2], [passes] * 2, [0, 1]),
        within([1, 2], [passes] * 2, [0, 0]),
    ):
        assert math.isnan(found.value) and found.n == 0
        assert found.plain()["value"] is None


def test_all_models_together_have_pairs_within_prompts():
    one = Scored([2.0, 0.0], [True, False], [0, 1])
    other = Scored([1.0, 0.5], [False, True], [0, 1])
    result = compare_scores({"one": one, "other": other})
    assert result["models"]["one"]["within"]["n"] == 0
    found = result["all"]["within"]
    assert (found["value"], found["high"], found["n"], found["prompts"]) == (1, 1, 2, 2)
    assert result["models"]["other"]["passed_mean"] == 0.5


def test_the_coefficient_does_not_reward_more_than_the_reference():
    """r orders the two; coef, which falls again above 0, orders them the other way."""
    result = Scored([3.0, 0.0], [True, False], [0, 1]).agreement()
    assert (result["auc"]["value"], result["coef_auc"]["value"]) == (1, 0)


def test_few_pairs_that_are_all_right_are_no_certainty():
    passed = [True] * 4 + [False] * 6
    right = overall(range(10, 0, -1), passed, range(10))
    wrong = overall(range(10), passed, range(10))
    assert (right.value, right.high) == (1, 1) and right.low == pytest.approx(0.025 ** (1 / 4))
    assert (wrong.value, wrong.low) == (0, 0) and wrong.high == pytest.approx(1 - right.low)
    inside = within([2, 1, 4, 3], [True, False] * 2, [0, 0, 1, 1])
    assert (inside.value, inside.high) == (1, 1) and inside.low == pytest.approx(0.025**0.5)
    assert overall([2, 1], [True, False], [0, 0]).low == pytest.approx(0.025)


def test_where_nothing_was_judged_it_is_said():
    result = {"kind": "agreement", "samples": 1, **compare_scores({"a": Scored([], [], [], 3)})}
    assert words(result) == ["a: no response could be judged"]
