"""Ranks that share rollouts reward them as one process does, each function as it allows."""

import pytest
from rollout_cases import completion, example, rollout
from threaded_ranks import on_ranks

from uniapl_cli.errors import TrainingError
from uniapl_cli.ranks import ALONE
from uniapl_cli.rewards import RolloutLogps
from uniapl_cli.rewards.functions import length
from uniapl_cli.rewards.reward import WeightedFunction
from uniapl_cli.rewards.sharing import over_ranks
from uniapl_cli.rewards.values import FunctionValues, Values
from uniapl_cli.types import Rollout

# Of three prompts, mixed; of unequal numbers.
ROLLOUTS = [
    rollout(text, group) for text, group in [("a", 4), ("bb", 7), ("c", 4), ("dd", 5), ("e", 7)]
]


def noted(rollouts):
    """One value and one note a rollout, by its text; and how many there were."""
    texts = [one.completion.text for one in rollouts]
    numbers = {"value": [float(ord(text[0])) for text in texts]}
    numbers["together"] = [float(len(texts))] * len(texts)
    return Values(numbers, {"value": [{"text": text} for text in texts]})


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_groups_are_shared_and_put_together_in_order(world):
    def job(ranks):
        return over_ranks(ranks, noted, ROLLOUTS, "groups", "noted")

    for found in on_ranks(world, job):
        assert found.numbers["value"] == noted(ROLLOUTS).numbers["value"]
        assert found.notes == noted(ROLLOUTS).notes


def test_a_group_is_never_torn():
    found = on_ranks(2, lambda ranks: over_ranks(ranks, noted, ROLLOUTS, "groups", "noted"))
    # The first of two has the groups 4 and 5, the other one 7.
    assert found[0].numbers["together"] == [3, 2, 3, 3, 2]
    assert found[0] == found[1]


def test_what_compares_all_is_called_once_on_all():
    called = []

    def compute(rollouts):
        called.append(len(rollouts))
        return noted(rollouts)

    found = on_ranks(3, lambda ranks: over_ranks(ranks, compute, ROLLOUTS, "first", "noted"))
    assert called == [5]
    assert found == [noted(ROLLOUTS)] * 3


def test_what_shares_by_itself_is_called_by_all_on_all():
    called = []

    def compute(rollouts):
        called.append(len(rollouts))
        return noted(rollouts)

    on_ranks(2, lambda ranks: over_ranks(ranks, compute, ROLLOUTS, "itself", "noted"))
    assert called == [5, 5]


def test_functions_of_a_reward_say_what_they_are_for():
    def job(ranks):
        WeightedFunction("mine", 1.0, length, shares="groups", ranks=ranks)(ROLLOUTS)
        return ranks.asked

    assert on_ranks(2, job) == [["reward function 'mine'"]] * 2


def test_an_error_names_the_row_on_the_rank_that_has_it():
    def fails(rollouts):
        return FunctionValues([1 / (one.group - 7) for one in rollouts])

    def job(ranks):
        return WeightedFunction("mine", 1.0, fails, shares="groups", ranks=ranks)(ROLLOUTS)

    with pytest.raises(TrainingError) as caught:
        on_ranks(2, job)
    assert "rows.jsonl:a" in str(caught.value)


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("world", [2, 3])
def test_the_reference_reads_each_rollout_once_for_all(new_policy, world, sharded):
    reference, passes = new_policy(1), {}
    rollouts = [
        Rollout(example(), (1, 2, 3), completion(tokens=tokens), 0)
        for tokens in [(5, 6, 7, 8), (9,), (4, 3, 2), (8, 8)]
    ]

    def of(ranks, forward):
        told = type("Told", (), {"forward": staticmethod(forward)})()
        return RolloutLogps(told, reference.device, 0, 1.0, 1, ranks)(rollouts)

    def job(ranks):
        def forward(batch):
            passes[ranks.rank] = passes.get(ranks.rank, 0) + 1
            return reference.forward(batch)

        return of(ranks, forward)

    expected = of(ALONE, reference.forward)
    assert on_ranks(world, job, sharded=sharded) == [expected] * world
    # Those who hold parts pass equally often, for the others' sake.
    assert sum(passes.values()) == (-(-4 // world) * world if sharded else 4)
    assert not sharded or len(set(passes.values())) == 1
