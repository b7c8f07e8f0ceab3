"""One row for a model trained at several seeds."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.report import compare_seeds
from uniapl_cli.evaluation.seeds import over_seeds, student_t, summary


def evaluation(name, mean, data="heldout", **draws):
    figures = {"topic": {"mean": mean, "se": 0.5, "n": 4}}
    return {"name": name, "model": name, "data": data, "draws": {"greedy": figures, **draws}}


THREE = [evaluation(f"grpo-{seed}", mean) for seed, mean in ((0, 0.1), (1, 0.2), (2, 0.6))]


@pytest.mark.parametrize(
    ("p", "degrees", "expected"),
    [
        # What tables print.
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 3, 3.182),
        (0.975, 4, 2.776),
        (0.975, 9, 2.262),
        (0.975, 30, 2.042),
        (0.95, 2, 2.920),
        (0.995, 5, 4.032),
        (0.5, 7, 0.0),
    ],
)
def test_the_quantile_is_the_one_in_tables(p, degrees, expected):
    assert student_t(p, degrees) == pytest.approx(expected, abs=5e-4)


def test_many_degrees_are_a_normal_distributions():
    assert student_t(0.975, 5000) == pytest.approx(1.959964, abs=1e-3)


def test_three_values_by_hand():
    """1, 2, 6: the mean is 3, the variance (4 + 1 + 9) / 2 = 7, the half 4.302653 sqrt(7 / 3)."""
    estimate = summary([1.0, 2.0, 6.0])
    assert (estimate["mean"], estimate["n"], estimate["values"]) == (3.0, 3, [1.0, 2.0, 6.0])
    assert estimate["interval"] == pytest.approx([3 - 6.572411, 3 + 6.572411], abs=1e-5)


def test_two_values_by_hand():
    """0 and 2: the variance is 2, so the half is 12.706205 sqrt(2 / 2)."""
    assert summary([0.0, 2.0])["interval"] == pytest.approx([-11.706205, 13.706205], abs=1e-5)


def test_equal_values_leave_no_doubt():
    assert summary([0.25, 0.25, 0.25])["interval"] == [0.25, 0.25]


@pytest.mark.parametrize(("values", "n"), [([0.5], 1), ([0.5, None], 1), ([None], 0), ([], 0)])
def test_fewer_than_two_values_have_no_interval(values, n):
    estimate = summary(values)
    assert (estimate["interval"], estimate["n"], estimate["values"]) == (None, n, values)
    assert estimate["mean"] == (0.5 if n else None)


def test_names_that_differ_in_their_seed_are_a_row_in_the_order_given():
    rows = over_seeds([THREE[0], evaluation("base", 0.5), *THREE[1:]])
    assert [(row["name"], row["seeds"]) for row in rows] == [
        ("grpo", ["0", "1", "2"]),
        ("base", [None]),
    ]
    assert rows[0]["draws"]["greedy"]["topic"] == summary([0.1, 0.2, 0.6])


@pytest.mark.parametrize("name", ["sft-grpo", "lambda-1e-05", "lambda-0.1", "-0", "0"])
def test_only_a_number_at_the_end_is_a_seed(name):
    evaluations = [evaluation(name, 0.1), evaluation(f"{name}-7", 0.3)]
    if name == "lambda-1e-05":  # which alone would be seed 05 of lambda-1e
        evaluations = evaluations[1:]
    assert {row["name"] for row in over_seeds(evaluations)} == {name}


def test_one_evaluation_is_not_two_seeds():
    with pytest.raises(DataError) as caught:
        over_seeds([*THREE, THREE[1]])
    assert caught.value.got == "grpo-1"


def test_a_row_is_of_one_data_set():
    with pytest.raises(DataError) as caught:
        over_seeds([evaluation("a-0", 1.0), evaluation("a-1", 1.0, "train")])
    assert caught.value.got == ["heldout", "train"]


def test_the_table_shows_how_many_seeds_and_half_the_interval():
    """By hand: mean 0.3, variance 0.14 / 2, half 4.302653 sqrt(0.07 / 3) = 0.657233."""
    columns, rows = compare_seeds(over_seeds([*THREE, evaluation("base", 0.5)]), [])
    assert columns == ["model", "seeds", "greedy topic"]
    assert rows == [["grpo", "3", "30.0 ± 65.7"], ["base", "1, no interval", "50.0"]]


def test_a_seed_without_the_figure_is_told():
    more = {"sampled": {"topic": {"mean": 0.5, "se": None, "n": 1}}}
    rows = over_seeds([*THREE[:2], evaluation("grpo-2", 0.6, **more)])
    assert rows[0]["draws"]["sampled"]["topic"]["values"] == [None, None, 0.5]
    assert compare_seeds(rows, ["sampled/topic"])[1] == [["grpo", "3", "50.0 (n=1)"]]
