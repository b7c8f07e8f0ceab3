"""Values of rewards' functions that are computed while other rollouts are still being sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread

from uniapl_cli.rewards.reward import Reward
from uniapl_cli.rewards.values import Values
from uniapl_cli.types import Rollout

ValuesByReward = dict[str, Values]
Task = tuple[Future[ValuesByReward], Sequence[Rollout]]


class EarlyValues:
    """A thread that computes them, group by group; leaving the block by an error drops the rest.

    Where a signal ends the block, nobody waits for the group under way either: its code may run
    for minutes. So the thread is a daemon, which the program's end does not wait for.
    """

    def __init__(self, rewards: Mapping[str, Reward]) -> None:
        self.rewards = rewards
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._values: dict[int, Future[ValuesByReward]] = {}
        self._thread = Thread(target=self._work, name="rewards", daemon=True)

    def begin(self, group: int, rollouts: Sequence[Rollout]) -> None:
        """Have the values of a group computed."""
        self._values[group] = Future()
        self._tasks.put((self._values[group], rollouts))

    def collect(self) -> list[ValuesByReward]:
        """Return the values of the groups in order, of each by reward, once they are there."""
        return [self._values[group].result() for group in sorted(self._values)]

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, rollouts = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._compute(rollouts))
                except BaseException as error:  # noqa: BLE001  raised where it is collected
                    future.set_exception(error)

    def _compute(self, rollouts: Sequence[Rollout]) -> ValuesByReward:
        return {name: reward.early_values(rollouts) for name, reward in self.rewards.items()}

    def __enter__(self) -> EarlyValues:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for future in self._values.values():
            future.cancel()
        self._tasks.put(None)
        if kind is None or issubclass(kind, Exception):
            self._thread.join()
