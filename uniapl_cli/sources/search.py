"""A search for the shortest beginning from which a group succeeds, but not always: BREAD's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from uniapl_cli.rewards.groups import groups_of
from uniapl_cli.rewards.reward import Reward
from uniapl_cli.rewards.values import Values
from uniapl_cli.sources.known import RIGHT
from uniapl_cli.types import Rollout

# Rollouts of groups one after the other, and the values of each reward that are known of them.
Sampled = tuple[list[Rollout], dict[str, Values]]
# (of which groups, by their place, how many parts are given; the round) -> their new rollouts.
Sample = Callable[[Mapping[int, int], int], Sampled]


@dataclass(frozen=True)
class Search:
    """What is looked for: so many of `slices` equal parts of the teacher's response.

    They are to give a share of right rollouts between `low` and `high`. A group is searched where
    its own rollouts, behind nothing, are right more rarely than `low`.
    """

    slices: int
    low: float
    high: float


@dataclass
class Bisection:
    """A search under way: `least` parts were too few, and `most` are too many."""

    search: Search
    least: int
    most: int
    probed: list[int] = field(default_factory=list)

    def next(self, share: float) -> int | None:
        """Return how many parts to give next, knowing what share was right; None: no others."""
        if self.probed and share < self.search.low:
            self.least = self.probed[-1]
        elif self.probed and share > self.search.high:
            self.most = self.probed[-1]
        elif self.probed or share >= self.search.low:
            return None
        if self.most - self.least < 2:
            return None
        self.probed.append((self.least + self.most) // 2)
        return self.probed[-1]


def searched(search: Search, judge: Reward, sample: Sample, guided: Sequence[bool]) -> Sampled:
    """Return the groups' rollouts, of each those from the last beginning that was tried.

    guided: which groups have a teacher's response. What decided is not measured again.
    """
    given = dict.fromkeys(range(len(guided)), 0)
    ways = {place: Bisection(search, 0, search.slices) for place in given}
    found: dict[int, Sampled] = {}
    number = 0
    while given:
        rollouts, values = sample(given, number)
        values[judge.name] = judge.values(rollouts, values.get(judge.name))
        shares = {}
        for place, part in zip(given, by_group(rollouts, values), strict=True):
            found[place] = part
            earned = judge.total(part[1][judge.name].numbers)
            own = [float(e) for e, r in zip(earned, part[0], strict=True) if not r.expert]
            shares[place] = sum(one >= RIGHT for one in own) / len(own)
        following = {place: ways[place].next(shares[place]) for place in given if guided[place]}
        given = {place: parts for place, parts in following.items() if parts is not None}
        number += 1
    rollouts, values = [], {}
    for place in sorted(found):
        rollouts += found[place][0]
        for name, own_values in found[place][1].items():
            values.setdefault(name, Values()).extend(own_values)
    return rollouts, values


def by_group(rollouts: Sequence[Rollout], values: Mapping[str, Values]) -> list[Sampled]:
    """Return the rollouts of each group with their values, in the order of the groups."""
    parts = []
    numbers = groups_of(rollouts).tolist()
    for group in dict.fromkeys(numbers):
        places = [place for place, number in enumerate(numbers) if number == group]
        own: dict[str, Values] = {name: Values() for name in values}
        for name, column in values.items():
            own[name].extend(column, places)
        parts.append(([rollouts[place] for place in places], own))
    return parts
