"""A reward is a weighted sum of functions, made an advantage by its rule."""

import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from rollout_cases import completion, example, rollout

from uniapl_cli.errors import DataError, TrainingError
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards import (
    FunctionValues,
    Reward,
    RewardOptions,
    WeightedFunction,
    check_examples,
    make_reward,
    needs,
)
from uniapl_cli.rewards.reward import equal_within_group
from uniapl_cli.rewards.values import Values

GROUPS = [0, 0, 1, 1]
ROLLOUTS = [rollout(group=group, of=example(f"row{index}")) for index, group in enumerate(GROUPS)]


def reward(rule="raw", **functions):
    """Make a reward of `name=(weight, numbers)`."""
    parts = [
        WeightedFunction(name, share, lambda _, v=v: v) for name, (share, v) in functions.items()
    ]
    return Reward("worth", parts, advantages[rule].definition)


def test_functions_are_weighted_and_summed():
    rewarded = reward(x=(1.0, [1.0, 2, 3, 4]), y=(-0.5, [2.0, 0, 0, 8])).compute(ROLLOUTS)
    assert rewarded.rewards.tolist() == [0, 2, 3, 0]
    assert rewarded.advantages.tolist() == [0, 2, 3, 0]
    assert rewarded.functions == {"x": [1, 2, 3, 4], "y": [2, 0, 0, 8]}
    assert rewarded.rewards.dtype == rewarded.advantages.dtype == torch.float32


def test_the_rule_is_applied_within_each_prompts_rollouts():
    rewarded = reward("centred", x=(2.0, [1.0, 3, 10, 10])).compute(ROLLOUTS)
    assert rewarded.rewards.tolist() == [2, 6, 20, 20]
    assert rewarded.advantages.tolist() == [-2, 2, 0, 0]


def test_what_functions_note_of_each_rollout_is_kept_in_order_and_joined():
    def noting(name):
        return lambda rollouts: FunctionValues(
            [0.0] * len(rollouts), notes=[{name: r.example.id} for r in rollouts]
        )

    parts = [WeightedFunction(n, 1.0, noting(n), early=n == "x") for n in "xy"]
    worth = Reward("worth", parts, advantages["raw"].definition)
    early = Values()
    for pair in (ROLLOUTS[:2], ROLLOUTS[2:]):
        early.extend(worth.early_values(pair))
    notes = worth.compute(ROLLOUTS, early).notes
    assert notes == [{"x": f"row{n}", "y": f"row{n}"} for n in range(4)]
    chosen = Values()
    chosen.extend(early, [3, 1])
    assert [chosen.note(n) for n in range(2)] == [{"x": "row3"}, {"x": "row1"}]
    assert reward(x=(1.0, [1.0] * 4)).compute(ROLLOUTS).notes == [{}] * 4


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_names_its_row(bad):
    with pytest.raises(TrainingError) as caught:
        reward(x=(1.0, [0.0] * 4), y=(0.0, [1.0, 2, bad, 4])).compute(ROLLOUTS)
    assert caught.value.where == "rows.jsonl:row2"
    assert caught.value.got is bad
    assert "'y'" in caught.value.problem


@pytest.mark.parametrize(
    ("values", "alike"),
    [([1, 1, 0, 0], [1, 1, 1, 1]), ([1, 0, 0, 0], [0, 0, 1, 1]), ([1, 0, 0, 1], [0, 0, 0, 0])],
)
def test_groups_of_one_value_are_found(values, alike):
    equal = equal_within_group(
        torch.tensor(values, dtype=torch.float64), torch.tensor([0, 0, 5, 5])
    )
    assert equal.tolist() == [bool(one) for one in alike]


def failing(function):
    return Reward("worth", [WeightedFunction("mine", 1.0, function)], advantages["raw"].definition)


def failure(function):
    """Return the error that the function's failure becomes."""
    with pytest.raises(TrainingError) as caught:
        failing(function).compute(ROLLOUTS)
    assert "'mine'" in caught.value.problem
    return caught.value


def test_a_function_that_fails_is_named_with_the_row_it_fails_on():
    def function(rollouts):
        return [1 / (rollout.example.id != "row2") for rollout in rollouts]

    error = failure(function)
    assert error.where == "rows.jsonl:row2"
    assert isinstance(error.__cause__, ZeroDivisionError)


def test_a_function_that_fails_on_the_whole_step_only_blames_no_row():
    def function(rollouts):
        assert len(rollouts) == 1
        return [1.0]

    error = failure(function)
    assert error.where not in {rollout.example.origin for rollout in ROLLOUTS}


def test_a_function_that_cannot_go_on_speaks_for_itself():
    own = DataError("no teacher", where="rows.jsonl:7")

    def function(rollouts):
        raise own

    with pytest.raises(DataError) as caught:
        failing(function).compute(ROLLOUTS)
    assert caught.value is own


@pytest.mark.parametrize(
    ("numbers", "got"),
    [
        ([1.0], 1),
        (FunctionValues([1.0] * 4, {"r": [0.0] * 3}), 3),
        (FunctionValues([1.0] * 4, notes=[{}] * 3), 3),
    ],
)
def test_a_function_gives_one_number_a_rollout(numbers, got):
    assert failure(lambda _: numbers).got == got


def options(**values):
    return RewardOptions.model_validate(values)


def test_a_number_is_a_functions_weight():
    short = options(functions={"verifier": 2, "length": -0.5})
    long = options(
        functions={"verifier": {"weight": 2.0}, "length": {"kind": "length", "weight": -0.5}}
    )
    assert short == long


def test_what_a_function_wants_is_made_for_it_alone():
    def maker(name):
        return lambda: requested.append(name) or len(requested)

    requested = []
    supplies = {name: maker(name) for name in ("judge", "max_new_tokens", "discriminator")}
    both = options(functions={"length": -0.5, "overlong": {"buffer": 4}}, advantage="centred")
    reward = make_reward("brief", both, supplies)
    assert requested == ["max_new_tokens"]
    assert [(part.name, part.weight) for part in reward.functions] == [
        ("length", -0.5),
        ("overlong", 1.0),
    ]
    rewarded = make_reward("brief", both, {"max_new_tokens": lambda: 6}).compute(ROLLOUTS)
    assert rewarded.functions == {"length": [3.0] * 4, "overlong": [-0.25] * 4}


WRONG = {
    "no function": ({"functions": {}}, ("functions",)),
    "another weight": (
        {"functions": {"verifier": {"weight": "high"}}},
        ("functions", "verifier", "verifier", "weight"),
    ),
    "equal values that are worth something": (
        {"functions": {"coef": 1}, "advantage": "raw", "zero_variance": "drop"},
        (),
    ),
}


@pytest.mark.parametrize(("values", "where"), WRONG.values(), ids=WRONG)
def test_a_reward_that_makes_no_sense_is_refused(values, where):
    with pytest.raises(ValidationError) as caught:
        options(**values)
    (error,) = caught.value.errors()
    assert error["loc"] == where


@pytest.mark.parametrize(
    ("functions", "needed"),
    [
        ({"verifier": 1, "length": 1}, {"constraints"}),
        ({"coef": 1, "verifier": 0.5}, {"teacher", "constraints", "discriminator"}),
        ({"polar_gt": 1}, {"teacher", "reference", "discriminator"}),
        ({"kl": -0.1}, {"policy"}),
    ],
)
def test_what_a_reward_needs(functions, needed):
    assert needs(options(functions=functions)) == needed


@pytest.mark.parametrize("need", ["teacher", "reference", "constraints"])
def test_an_example_without_what_is_needed_is_named(need):
    whole = replace(example("a"), reference="so")
    bare = replace(whole, origin="rows.jsonl:3", response=None, reference=None, constraints=())
    check_examples([whole, bare], {"policy"}, "reward 'x'")
    with pytest.raises(DataError) as caught:
        check_examples([whole, bare], {need}, "reward 'x'")
    assert caught.value.line == 3


def test_a_rule_over_tokens_is_told_how_long_the_responses_are():
    rewards, lengths = [1.0, 0.0, 0.0, 1.0], [5, 1, 2, 1]
    rows = [
        replace(one, completion=completion(tokens=tuple(range(5, 5 + length))))
        for one, length in zip([rollout(group=n // 2) for n in range(4)], lengths, strict=True)
    ]
    parts = [WeightedFunction("mine", 1.0, lambda rollouts: rewards)]
    rule = advantages.bind(advantages.options("reinforce_pp"))
    result = Reward("worth", parts, rule).compute(rows).advantages
    groups = torch.tensor([0, 0, 1, 1])
    values = torch.tensor(rewards, dtype=torch.float64)
    expected = rule(values, groups, lengths=torch.tensor(lengths)).float()
    assert torch.equal(result, expected)
    assert not torch.allclose(result, rule(values, groups).float(), rtol=0.05)
