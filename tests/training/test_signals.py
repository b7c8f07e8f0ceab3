"""A signal is a weighted sum of scores, made an advantage by its rule."""

import math

import pytest
import torch
from rollout_cases import example, rollout

from uniapl_cli.errors import DataError, TrainingError
from uniapl_cli.objectives import advantages
from uniapl_cli.training.signals import Scored, Signal, Weighted, equal

GROUPS = [0, 0, 1, 1]
ROLLOUTS = [rollout(group=group, of=example(f"row{place}")) for place, group in enumerate(GROUPS)]


def signal(rule="raw", **scores):
    """Make a signal of `name=(weight, numbers)`."""
    parts = [Weighted(name, share, lambda _, v=v: v) for name, (share, v) in scores.items()]
    return Signal("signal", parts, advantages[rule].make)


def test_scores_are_weighted_and_summed():
    judged = signal(x=(1.0, [1.0, 2, 3, 4]), y=(-0.5, [2.0, 0, 0, 8])).judge(ROLLOUTS)
    assert judged.values.tolist() == [0, 2, 3, 0]
    assert judged.advantages.tolist() == [0, 2, 3, 0]
    assert judged.scores == {"x": [1, 2, 3, 4], "y": [2, 0, 0, 8]}
    assert judged.values.dtype == judged.advantages.dtype == torch.float32


def test_the_rule_is_applied_within_each_prompts_rollouts():
    judged = signal("centred", x=(2.0, [1.0, 3, 10, 10])).judge(ROLLOUTS)
    assert judged.values.tolist() == [2, 6, 20, 20]
    assert judged.advantages.tolist() == [-2, 2, 0, 0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_names_its_row(bad):
    with pytest.raises(TrainingError, match=f"rows.jsonl:row2: score 'y' is {bad}"):
        signal(x=(1.0, [0.0] * 4), y=(0.0, [1.0, 2, bad, 4])).judge(ROLLOUTS)


@pytest.mark.parametrize(
    ("values", "alike"),
    [([1, 1, 0, 0], [1, 1, 1, 1]), ([1, 0, 0, 0], [0, 0, 1, 1]), ([1, 0, 0, 1], [0, 0, 0, 0])],
)
def test_groups_of_one_value_are_found(values, alike):
    found = equal(torch.tensor(values, dtype=torch.float64), torch.tensor([0, 0, 5, 5]))
    assert found.tolist() == [bool(one) for one in alike]


def failing(score):
    return Signal("signal", [Weighted("mine", 1.0, score)], advantages["raw"].make)


def test_a_score_that_fails_is_named_with_the_row_it_fails_on():
    def score(rollouts):
        return [1 / (rollout.example.id != "row2") for rollout in rollouts]

    with pytest.raises(TrainingError, match="rows.jsonl:row2: score 'mine' failed: ZeroDivision"):
        failing(score).judge(ROLLOUTS)


def test_a_score_that_fails_on_the_whole_step_only_says_so():
    def score(rollouts):
        assert len(rollouts) == 1
        return [1.0]

    with pytest.raises(TrainingError, match="none of them by itself: score 'mine' failed"):
        failing(score).judge(ROLLOUTS)


def test_a_score_that_cannot_go_on_speaks_for_itself():
    def score(rollouts):
        raise DataError("rows.jsonl:7: no teacher")

    with pytest.raises(DataError, match="^rows.jsonl:7: no teacher$"):
        failing(score).judge(ROLLOUTS)


@pytest.mark.parametrize("numbers", [[1.0], Scored([1.0] * 4, {"r": [0.0] * 3})])
def test_a_score_gives_one_number_a_rollout(numbers):
    with pytest.raises(TrainingError, match="score 'mine' gave . numbers .* for 4 rollouts"):
        failing(lambda _: numbers).judge(ROLLOUTS)
