"""pass@k beside a count over all draws of k."""

from itertools import combinations

import pytest

from uniapl_cli.evaluation.benchmarks import Graded, Item
from uniapl_cli.evaluation.benchmarks.pass_at_k import pass_at_k
from uniapl_cli.evaluation.estimates import estimate


def graded(draws):
    return [
        Graded(Item(id, ()), 0, sample, {"accuracy": (float(right), 1.0)}, "code")
        for id, rights in draws.items()
        for sample, right in enumerate(rights)
    ]


DRAWS = {"a": [1, 0, 0, 1], "b": [0, 0, 0, 0], "c": [1, 1, 1, 1], "d": [0, 0, 1, 0]}


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_it_is_the_share_of_all_choices_of_k_draws_with_a_right_one(k):
    shares = [[any(some) for some in combinations(rights, k)] for rights in DRAWS.values()]
    expected = sum(sum(share) / len(share) for share in shares) / len(DRAWS)
    found = estimate(pass_at_k(graded(DRAWS))[f"pass@{k}"])
    assert found.mean == pytest.approx(expected) and found.n == len(DRAWS)


def test_k_goes_up_to_the_draws_that_every_task_has():
    assert list(pass_at_k(graded({"a": [1, 0, 1], "b": [1, 0]}))) == ["pass@1", "pass@2"]
    assert list(pass_at_k(graded({"a": [1]}))) == ["pass@1"]
    assert pass_at_k([]) == {}


def test_of_one_draw_it_is_the_accuracy():
    found = estimate(pass_at_k(graded({"a": [1], "b": [0], "c": [1], "d": [1]}))["pass@1"])
    assert (found.mean, found.n) == (0.75, 4) and found.se == pytest.approx(0.25)
