"""What rollouts are rewarded for, and what their rewards make them worth."""

from uniapl_cli.rewards.functions import RewardFunction, Scored, reward_functions
from uniapl_cli.rewards.reference import Reference, RolloutLogps
from uniapl_cli.rewards.reward import (
    Judged,
    Reward,
    RewardOptions,
    Weighted,
    check_examples,
    make_reward,
    needs,
)

__all__ = [
    "Judged",
    "Reference",
    "Reward",
    "RewardFunction",
    "RewardOptions",
    "RolloutLogps",
    "Scored",
    "Weighted",
    "check_examples",
    "make_reward",
    "needs",
    "reward_functions",
]
