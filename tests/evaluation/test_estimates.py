"""Means of several ratios and their errors, against closed forms and draws."""

import math
import random
import statistics

import pytest

from uniapl_cli.evaluation.estimates import Estimate, estimate, total_by_id


def column(values, prefix=""):
    return {f"{prefix}{n}": (float(value), 1.0) for n, value in enumerate(values)}


def test_one_column_is_the_sample_mean_with_the_textbook_error():
    values = [random.Random(1).random() for _ in range(40)]
    found = estimate([column(values)])
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.se == pytest.approx(statistics.stdev(values) / math.sqrt(40))


def test_columns_without_a_common_prompt_are_independent():
    """Subjects of 3 and 12 rows: the variance of the mean of means is a quarter of their sum."""
    subjects = [[0, 1, 1], [1, 0, 0, 0] * 3]
    found = estimate([column(values, str(n)) for n, values in enumerate(subjects)])
    parts = [statistics.variance(values) / len(values) for values in subjects]
    assert found.mean == pytest.approx((2 / 3 + 1 / 4) / 2)
    assert found.se == pytest.approx(math.sqrt(sum(parts)) / 2)
    assert found.n == 15


def test_equal_columns_over_the_same_prompts_gain_nothing():
    """Three turns that always agree say no more than one."""
    values = [1, 0, 0, 1, 1]
    one, three = estimate([column(values)]), estimate([column(values)] * 3)
    assert three == Estimate(pytest.approx(one.mean), pytest.approx(one.se), one.n)


def test_opposite_columns_over_the_same_prompts_have_no_error():
    values = [1, 0, 0, 1]
    found = estimate([column(values), column([1 - value for value in values])])
    assert (found.mean, found.se) == (0.5, pytest.approx(0.0))


def test_the_error_of_a_mean_of_ratios_is_what_repeated_draws_show():
    rng = random.Random(2)

    def draw(n=60):
        turns = [{}, {}]
        for id in range(n):
            easy = rng.random()
            for turn in turns:
                count = rng.choice([1, 2, 3])
                turn[str(id)] = (sum(rng.random() < easy for _ in range(count)), count)
        return estimate(turns)

    drawn = [draw() for _ in range(600)]
    spread = statistics.stdev(one.mean for one in drawn)
    assert statistics.mean(one.se for one in drawn) == pytest.approx(spread, rel=0.1)


def test_subjects_of_one_row_each_vary_as_their_rows_do():
    """With a row a subject, the mean over subjects is the mean over rows, and so is its error."""
    values = [1, 0, 0, 1, 1, 0]
    apart = estimate([column([value], str(n)) for n, value in enumerate(values)])
    together = estimate([column(values)])
    assert apart == Estimate(pytest.approx(together.mean), pytest.approx(together.se), 6)


def test_a_subject_of_one_row_beside_others_has_no_error_of_its_own():
    assert math.isnan(estimate([column([1, 0, 1]), column([1], "b")]).se)
    some = estimate([column([1, 0, 1]), column([1], "b"), column([0], "c")])
    assert some.se == pytest.approx(math.sqrt(1 / 9 + 2 * 0.5) / 3)


def test_a_prompt_that_counts_nothing_is_none_of_them():
    with_empty = {**column([1, 0, 1]), "empty": (0.0, 0.0)}
    assert estimate([with_empty]) == estimate([column([1, 0, 1])])


@pytest.mark.parametrize("columns", [[], [{}], [{"a": (1.0, 1.0)}], [{"a": (0.0, 0.0)}]])
def test_what_cannot_be_told_is_null(columns):
    assert estimate(columns).plain()["se"] is None


def test_shares_of_one_id_are_added():
    assert total_by_id([("a", (1, 2)), ("b", (0, 1)), ("a", (1, 1))]) == {"a": (2, 3), "b": (0, 1)}


def test_the_interval_is_wilsons_where_each_prompt_is_one_answer():
    """7 of 10, by hand: (0.3968, 0.8922) with z = 1.96."""
    found = estimate([column([1] * 7 + [0] * 3)])
    plain = Estimate(found.mean, math.sqrt(0.7 * 0.3 / 10), 10)
    assert plain.interval() == pytest.approx((0.3968, 0.8922), abs=1e-4)
    wider = found.interval()
    assert wider[0] < plain.interval()[0] and wider[1] > plain.interval()[1]


@pytest.mark.parametrize("value", [0, 1])
def test_few_answers_that_are_all_alike_prove_little(value):
    low, high = estimate([column([value] * 20)]).interval()
    assert high - low > 0.15 and 0 <= low <= value <= high <= 1


def test_the_interval_holds_the_share_as_often_as_it_says():
    rng = random.Random(3)
    inside = 0
    for _ in range(2000):
        low, high = estimate([column([rng.random() < 0.08 for _ in range(40)])]).interval()
        inside += low <= 0.08 <= high
    assert inside / 2000 > 0.93


def test_what_is_no_share_or_has_no_error_has_no_interval():
    assert Estimate(3.0, 0.1, 9).interval() is None
    assert Estimate(0.5, math.nan, 1).interval() is None
