"""Rollouts to rewards, and rewards to advantages."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import field_validator, model_validator
from torch import Tensor

from uniapl_cli.errors import DataError, TrainingError, UniAPLError
from uniapl_cli.objectives.advantages import Advantage, advantages
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.registry import Choice, Named
from uniapl_cli.rewards.functions import RewardFunctionOptions, reward_functions
from uniapl_cli.rewards.groups import baseline_of, equal_within_group, groups_of, supplied
from uniapl_cli.rewards.sharing import Shares, over_ranks
from uniapl_cli.rewards.values import FunctionValues, Note, Values, ValuesByFunction
from uniapl_cli.types import Example, Rollout
from uniapl_cli.verifiers import check_packages

ZeroVariance = Literal["keep", "drop", "resample"]
# The traits of reward functions that say what they need.
NEEDS = ("teacher", "reference", "constraints", "policy")
# Columns that some layouts take the response from.
ANSWERS = ("output", "answer", "solution", "completion")


class RewardOptions(Options):
    """One number a rollout: a weighted sum of functions, which a rule turns into an advantage."""

    functions: Annotated[
        dict[str, Options], Named(Choice(reward_functions, number=(None, "weight")))
    ] = key(
        MISSING,
        "name: weight, or name: {weight: 1.0, ...}; see `uniapl list rewards`",
        min_length=1,
    )
    advantage: Annotated[Options, Choice(advantages)] = key(
        advantages.options("group"), "see `uniapl list advantages`; or {kind: group, ddof: 0}"
    )
    zero_variance: ZeroVariance = key(
        "keep", "groups whose rewards are all equal: kept, not counted, or other prompts sampled"
    )

    @field_validator("functions")
    @classmethod
    def _some(cls, functions: dict[str, Options]) -> dict[str, Options]:
        if not functions:
            raise ValueError(f"name at least one function: {', '.join(reward_functions)}")
        return functions

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        rule = advantages.entry(self.advantage)
        if self.zero_variance != "keep" and not rule.traits.get("contrast"):
            raise ValueError(
                f"zero_variance is '{self.zero_variance}', but to advantage '{rule.name}' equal "
                "values are worth something. Use keep, or an advantage within the group"
            )
        return self


@dataclass(frozen=True)
class WeightedFunction:
    """A reward function and its share in a reward. shares: how several ranks call it together."""

    name: str
    weight: float
    function: Callable[[Sequence[Rollout]], list[float] | FunctionValues]
    early: bool = False
    shares: Shares = "first"
    ranks: Ranks = ALONE

    def __call__(self, rollouts: Sequence[Rollout]) -> Values:
        """Return the values of a step's rollouts, which all ranks have. Raises TrainingError."""
        return over_ranks(self.ranks, self.compute, rollouts, self.shares, self.name)

    def compute(self, rollouts: Sequence[Rollout]) -> Values:
        """Call the function on rollouts. Raises TrainingError, with the row, where it fails."""
        try:
            result = self.function(rollouts)
        except UniAPLError:
            raise
        except Exception as error:
            raise TrainingError(
                f"reward function '{self.name}' failed: {type(error).__name__}: {error}",
                "--debug shows where",
                where=self._failing_row(rollouts),
            ) from error
        result = result if isinstance(result, FunctionValues) else FunctionValues(result)
        logged = {f"{self.name}_{name}": numbers for name, numbers in result.logged.items()}
        by_name = {self.name: result.values, **logged}
        for name, numbers in by_name.items():
            self._check(name, numbers, rollouts)
        if result.notes:
            self._check_count("notes", len(result.notes), len(rollouts))
        return Values(by_name, {self.name: list(result.notes)} if result.notes else {})

    def _check_count(self, what: str, count: int, rollouts: int) -> None:
        if count != rollouts:
            raise TrainingError(
                f"reward function '{self.name}' gave {count} {what} for {rollouts} rollouts: one "
                "each is needed",
                got=count,
            )

    def _check(self, name: str, numbers: Sequence[float], rollouts: Sequence[Rollout]) -> None:
        """Refuse numbers that are too few, too many or not finite. Raises TrainingError."""
        self._check_count(f"numbers ('{name}')", len(numbers), len(rollouts))
        for number, rollout in zip(numbers, rollouts, strict=True):
            if not math.isfinite(number):
                problem = f"reward function '{name}' gave {number}"
                raise TrainingError(problem, where=row_of(rollout), got=number)

    def _failing_row(self, rollouts: Sequence[Rollout]) -> str:
        """Return the row of the first rollout on which the function fails by itself."""
        for rollout in rollouts:
            try:
                self.function([rollout])
            except Exception:  # noqa: BLE001  any error: it is this row
                return row_of(rollout)
        return "rollouts of a step, none of them by itself"


@dataclass(frozen=True)
class RolloutRewards:
    """The rewards of a step's rollouts, and their advantages: both (N,) float32.

    row_mask: (N,) bool, the rollouts that count in the reward's terms; None where all do. notes:
    what else samples.jsonl says of each rollout.
    """

    rewards: Tensor
    advantages: Tensor
    functions: ValuesByFunction
    notes: Sequence[Note]
    row_mask: Tensor | None = None


@dataclass(frozen=True)
class Reward:
    """A weighted sum of functions, turned into advantages by a rule.

    A group whose rewards are all equal teaches nothing where rollouts are compared with each other:
    `zero_variance` keeps it, drops it from the count, or has other prompts sampled instead.
    """

    name: str
    functions: Sequence[WeightedFunction]
    advantage: Advantage
    zero_variance: ZeroVariance = "keep"

    def early_values(self, rollouts: Sequence[Rollout]) -> Values:
        """Call the functions that may see some rollouts before the others are there."""
        return _of_all(part.compute(rollouts) for part in self.functions if part.early)

    def values(self, rollouts: Sequence[Rollout], early: Values | None = None) -> Values:
        """Call every function on the rollouts, but those whose values are `early`.

        Raises TrainingError where a value is not finite.
        """
        known = early or Values()
        new = [part for part in self.functions if part.name not in known.numbers]
        return known.joined(_of_all(part(rollouts) for part in new))

    def total(self, values: ValuesByFunction) -> Tensor:
        """Return the weighted sums of the functions' values, (N,) float64."""
        columns = [[part.weight * value for value in values[part.name]] for part in self.functions]
        return torch.tensor([sum(row) for row in zip(*columns, strict=True)], dtype=torch.float64)

    def compute(self, rollouts: Sequence[Rollout], known: Values | None = None) -> RolloutRewards:
        """Return the rewards of rollouts; values that are known are not computed again."""
        values = self.values(rollouts, known)
        rewards, groups = self.total(values.numbers), groups_of(rollouts)
        baseline, drops = baseline_of(rollouts), self.zero_variance == "drop"
        row_mask = ~equal_within_group(rewards, groups, baseline) if drops else None
        some = supplied(self.advantage, rollouts)
        advantages = self.advantage(rewards, groups, **some).float()
        notes = [values.note(index) for index in range(len(rollouts))]
        return RolloutRewards(rewards.float(), advantages, values.numbers, notes, row_mask)


def _of_all(parts: Iterable[Values]) -> Values:
    return reduce(Values.joined, parts, Values())


def make_reward(
    name: str,
    options: RewardOptions,
    supplies: Mapping[str, Callable[[], Any]],
    ranks: Ranks = ALONE,
) -> Reward:
    """Return a reward. `supplies` make the parameters that functions take, when one takes them."""
    functions = []
    for function, own in options.functions.items():
        assert isinstance(own, RewardFunctionOptions), "the base of all reward functions' options"
        supplied = {n: make() for n, make in supplies.items() if reward_functions.wants(own, n)}
        bound = reward_functions.bind(own, **supplied)
        traits = reward_functions.entry(own).traits
        early = bool(traits.get("early"))
        shares: Shares = traits.get("shares", "groups" if early else "first")
        functions.append(WeightedFunction(function, own.weight, bound, early, shares, ranks))
    return Reward(name, functions, advantages.bind(options.advantage), options.zero_variance)


def needs(options: RewardOptions) -> set[str]:
    """Return what the functions need: the traits in NEEDS, and "discriminator"."""
    functions = options.functions.values()
    traits = [reward_functions.entry(function).traits for function in functions]
    needed = {need for need in NEEDS if any(own.get(need) for own in traits)}
    if any(reward_functions.wants(function, "discriminator") for function in functions):
        needed.add("discriminator")
    return needed


def check_examples(examples: Sequence[Example], needs: Collection[str], why: str) -> None:
    """Refuse examples that lack what is needed. `why` names what needs it. Raises DataError."""
    for example in examples:
        if "teacher" in needs and example.response is None:
            raise DataError(
                f"no 'response' by the teacher, which {why} needs",
                _cure(example),
                where=example.origin,
            )
        if "reference" in needs and example.reference is None:
            raise DataError(
                f"no 'reference', the data set's own answer, which {why} needs",
                where=example.origin,
            )
        if "constraints" in needs and not example.constraints:
            problem = f"no constraints, so {why} has nothing to verify"
            advice = "Use rows with instruction_id_list and kwargs" + _layouts(example)
            raise DataError(problem, advice, where=example.origin)
    if "constraints" in needs:
        check_packages(c for example in examples for c in example.constraints)


def _cure(example: Example) -> str:
    """Return how a row gets a response; a column that looks like one is of another layout."""
    column = next((name for name in ANSWERS if example.row.get(name)), None)
    other = f", or set data.layout to one that reads '{column}'" if column else ""
    return f"Run uniapl teacher-gen on these prompts{other}"


def _layouts(example: Example) -> str:
    """Return which layouts read the columns of a question and its answer as a task to verify."""
    asks = {"question", "problem"} & example.row.keys()
    return ", or data.layout=gsm8k or math" if asks else ""


def row_of(rollout: Rollout) -> str:
    """Return the name of the row that a rollout's prompt is from."""
    return rollout.example.origin or rollout.example.id
