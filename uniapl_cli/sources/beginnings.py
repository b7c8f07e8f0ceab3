"""Given beginnings: how much of the teacher's response a rollout begins with."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from uniapl_cli.errors import ConfigError
from uniapl_cli.formulas import Arithmetic, Formula
from uniapl_cli.options import Count, Options, key
from uniapl_cli.registry import KIND, Choice, Registry
from uniapl_cli.seeding import derive

# (tokens of the response, rng, value, *, options) -> tokens that are given. value: a formula over
# the schedules' names to its number at the step. Every option that is a text is such a formula.
Law = Callable[..., float]
prefix_laws: Registry[Law] = Registry("prefix law", supplied=("value",))
Value = Callable[[str], float]
Share = Annotated[float, Field(ge=0, le=1)]


@prefix_laws.register("uniform")
def uniform(
    tokens: int, rng: random.Random, *, value: Value, low: Arithmetic = "0", high: Arithmetic
) -> float:
    """A share of the response between `low` and `high`, all alike likely: Prefix-RFT's."""
    least, most = value(low), value(high)
    return tokens * (least + (most - least) * rng.random())


@prefix_laws.register("binomial")
def binomial(
    tokens: int, rng: random.Random, *, value: Value, slices: Count = 5, share: Arithmetic
) -> float:
    """So many of `slices` equal parts as are drawn, each with probability `share`: UFT's.

    A response of fewer tokens has as many parts. The mean share that is given is `share`.
    """
    parts, likely = min(slices, tokens), value(share)
    return tokens * sum(rng.random() < likely for _ in range(parts)) / parts


@prefix_laws.register("fixed")
def fixed(tokens: int, rng: random.Random, *, value: Value, share: Arithmetic) -> float:
    """The same share of every response."""
    return tokens * value(share)


def is_a_band(*, low: float, high: float, **_: object) -> None:
    """Refuse a band that no share is within."""
    if low > high:
        raise ValueError(f"low = {low:g} is above high = {high:g}")


@prefix_laws.register("search", searches=True, sensible=is_a_band)
def search(
    tokens: int,
    rng: random.Random,
    *,
    value: Value,
    slices: Count = 10,
    low: Share = 0.2,
    high: Share = 0.8,
) -> float:
    """What a failing group needs, and nothing for the others: BREAD's.

    Where a smaller share than `low` of a group is right, it is sampled again behind so many of
    `slices` equal parts that the share is between `low` and `high`, as a bisection finds them.
    """
    return 0.0


class PrefixOptions(Options):
    """Which rollouts begin with the first part of the teacher's response, and how long it is."""

    rows: Count | Literal["all"] = key(1, "rollouts of each group that begin so, or all")
    law: Annotated[Options, Choice(prefix_laws, number=("fixed", "share"))] = key(
        prefix_laws.options("uniform", high="1"),
        "the share of the response, in tokens: {kind: uniform, low: 0.05, high: 0.95}, "
        "{kind: binomial, slices: 5, share: hint}, {kind: fixed, share: 0.5} or a number, which "
        "are formulas over the schedules' names; or {kind: search, low: 0.2, high: 0.8}",
    )
    shared: bool = key(False, "rollouts of a group begin with the same part")

    @model_validator(mode="after")
    def _searches_for_all(self) -> Self:
        if self.searches and self.rows != "all":
            raise ValueError(f"rows = {self.rows}: law 'search' is of whole groups; rows=all")
        return self

    @property
    def searches(self) -> bool:
        """Whether beginnings are searched for rather than drawn."""
        return bool(prefix_laws.entry(self.law).traits.get("searches"))

    @property
    def formulas(self) -> dict[str, Formula]:
        """The formulas over the schedules' names, by the key that each is at."""
        texts = {n: getattr(self.law, n) for n in type(self.law).model_fields if n != KIND}
        return {f"law.{n}": Formula(text) for n, text in texts.items() if isinstance(text, str)}


@dataclass(frozen=True)
class Beginnings:
    """How many tokens of the teacher's response each rollout of a group is given.

    law: (tokens of the response, rng, value=...) -> tokens. Seeds are derived from `name`.
    """

    law: Law
    rows: int
    shared: bool
    seed: int
    name: str

    def given(
        self, tokens: int, generations: int, step: int, slot: int, values: Mapping[str, float]
    ) -> tuple[int, ...]:
        """Return the given tokens of each of a group's rollouts: 0 but for the last `rows`.

        They are at least 0 and at most `tokens` - 1: the policy writes the last one, so that it
        also says where the response ends. slot: the group's place in the step. Raises ConfigError
        where a formula gives no finite number.
        """

        def value(text: str) -> float:
            """Return a formula's number at the step."""
            number = float(Formula(text)(values))
            if not math.isfinite(number):
                raise ConfigError(f"{text!r} is {number} at step {step + 1}", got=text)
            return number

        drawn = [0] * generations
        for place in range(max(generations - self.rows, 0), generations):
            names = ("prefix", step, slot) if self.shared else ("prefix", step, slot, place)
            rng = random.Random(derive(self.seed, self.name, *names))
            asked = min(max(self.law(tokens, rng, value=value), 0), tokens - 1)
            drawn[place] = int(asked)
        return tuple(drawn)


def make_beginnings(options: PrefixOptions, generations: int, seed: int, name: str) -> Beginnings:
    """Return what is given to the rollouts of a source's groups."""
    rows = generations if options.rows == "all" else options.rows
    return Beginnings(prefix_laws.bind(options.law), rows, options.shared, seed, name)
