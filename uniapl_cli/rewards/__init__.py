"""Rollouts to rewards: the functions, their weighted sum, and its advantages."""

from uniapl_cli.rewards.functions import RewardFunctionOptions, reward_functions
from uniapl_cli.rewards.reference import Reference, RolloutLogps
from uniapl_cli.rewards.reward import (
    Reward,
    RewardOptions,
    RolloutRewards,
    WeightedFunction,
    check_examples,
    make_reward,
    needs,
)
from uniapl_cli.rewards.values import FunctionValues

__all__ = [
    "FunctionValues",
    "Reference",
    "Reward",
    "RewardFunctionOptions",
    "RewardOptions",
    "RolloutLogps",
    "RolloutRewards",
    "WeightedFunction",
    "check_examples",
    "make_reward",
    "needs",
    "reward_functions",
]
