"""Rollouts to rewards, and rewards to advantages."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import field_validator, model_validator
from torch import Tensor

from uniapl_cli.errors import DataError, TrainingError, UniAPLError
from uniapl_cli.objectives.advantages import Advantage, advantages
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.registry import Choice, Named
from uniapl_cli.rewards.functions import RewardFunction, Scored, reward_functions
from uniapl_cli.types import Example, Rollout

ZeroVariance = Literal["keep", "drop", "resample"]
# Traits of reward functions: what they need of each example, and of the program.
NEEDS = ("teacher", "reference", "constraints", "policy")


class RewardOptions(Options):
    """One number a rollout: a weighted sum of functions, made an advantage by a rule."""

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
class Weighted:
    """A reward function and its share in a reward."""

    name: str
    weight: float
    function: Callable[[Sequence[Rollout]], list[float] | Scored]

    def __call__(self, rollouts: Sequence[Rollout]) -> Scored:
        """Score rollouts. Raises TrainingError, with the row, where the function itself fails."""
        try:
            result = self.function(rollouts)
        except UniAPLError:
            raise
        except Exception as error:
            raise TrainingError(
                f"reward function '{self.name}' failed: {type(error).__name__}: {error}",
                "--debug shows where",
                where=self._culprit(rollouts),
            ) from error
        scored = result if isinstance(result, Scored) else Scored(result)
        for name, numbers in {self.name: scored.values, **scored.more}.items():
            if len(numbers) != len(rollouts):
                raise TrainingError(
                    f"reward function '{self.name}' gave {len(numbers)} numbers ('{name}') for "
                    f"{len(rollouts)} rollouts: one each is needed",
                    got=len(numbers),
                )
        return scored

    def _culprit(self, rollouts: Sequence[Rollout]) -> str:
        """Return the row of the first rollout on which the function fails by itself."""
        for rollout in rollouts:
            try:
                self.function([rollout])
            except Exception:  # noqa: BLE001  whatever it was, this is the row
                return row_of(rollout)
        return "rollouts of a step, none of them by itself"


# By name, one number a rollout: each function's, and under `FUNCTION_NAME` what else it told:
# `coef_r`.
Measured = dict[str, list[float]]


@dataclass(frozen=True)
class Judged:
    """What a reward made of a step's rollouts. values, advantages: (N,) float32.

    counted: (N,) bool, the rollouts that its terms count; None where they all do.
    """

    values: Tensor
    advantages: Tensor
    functions: Measured
    counted: Tensor | None = None


@dataclass(frozen=True)
class Reward:
    """A weighted sum of functions, turned into advantages by a rule.

    Groups whose values are all equal teach nothing where rollouts are held against each other:
    `zero_variance` keeps them, drops them from the count, or has other prompts sampled instead.
    """

    name: str
    functions: Sequence[Weighted]
    advantage: Advantage
    zero_variance: ZeroVariance = "keep"

    def measure(self, rollouts: Sequence[Rollout]) -> Measured:
        """Score the rollouts. Raises TrainingError, with the row, where a score is not finite."""
        raw: Measured = {}
        for part in self.functions:
            scored = part(rollouts)
            raw[part.name] = scored.values
            raw |= {f"{part.name}_{name}": numbers for name, numbers in scored.more.items()}
        for name, numbers in raw.items():
            for number, rollout in zip(numbers, rollouts, strict=True):
                if not math.isfinite(number):
                    problem = f"reward function '{name}' gave {number}"
                    raise TrainingError(problem, where=row_of(rollout), got=number)
        return raw

    def values(self, raw: Measured) -> Tensor:
        """Return the weighted sums, (N,) float64."""
        columns = [[part.weight * value for value in raw[part.name]] for part in self.functions]
        return torch.tensor([sum(row) for row in zip(*columns, strict=True)], dtype=torch.float64)

    def judge(self, rollouts: Sequence[Rollout], raw: Measured | None = None) -> Judged:
        """Judge the rollouts by what was measured of them; `raw` saves measuring them again."""
        raw = self.measure(rollouts) if raw is None else raw
        values, groups = self.values(raw), groups_of(rollouts)
        counted = ~equal(values, groups) if self.zero_variance == "drop" else None
        return Judged(values.float(), self.advantage(values, groups).float(), raw, counted)


def make_reward(
    name: str, options: RewardOptions, supplies: Mapping[str, Callable[[], Any]]
) -> Reward:
    """Return a reward; `supplies` make what a function may want, and only where one does."""
    parts = []
    for function, own in options.functions.items():
        assert isinstance(own, RewardFunction), "the base of all reward functions' options"
        supplied = {n: make() for n, make in supplies.items() if reward_functions.wants(own, n)}
        parts.append(Weighted(function, own.weight, reward_functions.bind(own, **supplied)))
    return Reward(name, parts, advantages.bind(options.advantage), options.zero_variance)


def needs(options: RewardOptions) -> set[str]:
    """Return what the functions need: the traits in NEEDS, and "discriminator"."""
    functions = options.functions.values()
    traits = [reward_functions.entry(function).traits for function in functions]
    found = {need for need in NEEDS if any(own.get(need) for own in traits)}
    compares = any(reward_functions.wants(function, "discriminator") for function in functions)
    return found | ({"discriminator"} if compares else set())


def check_examples(examples: Sequence[Example], needs: Collection[str], why: str) -> None:
    """Refuse examples that lack what is needed of them. Raises DataError; `why` says for what."""
    for example in examples:
        if "teacher" in needs and example.response is None:
            raise DataError(
                f"no 'response' by the teacher, which {why} needs",
                "Run uniapl teacher-gen on these prompts",
                where=example.origin,
            )
        if "reference" in needs and example.reference is None:
            raise DataError(
                f"no 'reference', the data set's own answer, which {why} needs",
                where=example.origin,
            )
        if "constraints" in needs and not example.constraints:
            problem = f"no constraints, so {why} has nothing to verify"
            advice = "Use rows with instruction_id_list and kwargs"
            raise DataError(problem, advice, where=example.origin)


def row_of(rollout: Rollout) -> str:
    """Return the name of the row that a rollout's prompt is from."""
    return rollout.example.origin or rollout.example.id


def groups_of(rollouts: Sequence[Rollout]) -> Tensor:
    """Return each rollout's group, (N,)."""
    return torch.tensor([rollout.group for rollout in rollouts])


def equal(values: Tensor, groups: Tensor) -> Tensor:
    """Return, (N,) bool, which rollouts' groups have one value only. values, groups: (N,)."""
    names, index = groups.unique(return_inverse=True)
    least = values.new_full((len(names),), torch.inf).scatter_reduce(0, index, values, "amin")
    most = values.new_full((len(names),), -torch.inf).scatter_reduce(0, index, values, "amax")
    return (least == most)[index]
