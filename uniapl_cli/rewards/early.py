"""Values of rewards' functions that are computed while other rollouts are still being sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from uniapl_cli.rewards.reward import Reward
from uniapl_cli.rewards.values import Values
from uniapl_cli.types import Rollout

ValuesByReward = dict[str, Values]


class EarlyValues:
    """A thread that computes them, group by group; leaving the block by an error drops the rest."""

    def __init__(self, rewards: Mapping[str, Reward]) -> None:
        self.rewards = rewards
        self._thread = ThreadPoolExecutor(1, "rewards")
        self._values: dict[int, Future[ValuesByReward]] = {}

    def begin(self, group: int, rollouts: Sequence[Rollout]) -> None:
        """Have the values of a group computed."""
        self._values[group] = self._thread.submit(self._compute, rollouts)

    def collect(self) -> ValuesByReward:
        """Return, of each reward, the values of all groups in order, once they are there."""
        values: ValuesByReward = {name: Values() for name in self.rewards}
        for group in sorted(self._values):
            for name, of_group in self._values[group].result().items():
                values[name].extend(of_group)
        return values

    def _compute(self, rollouts: Sequence[Rollout]) -> ValuesByReward:
        return {name: reward.early_values(rollouts) for name, reward in self.rewards.items()}

    def __enter__(self) -> EarlyValues:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
