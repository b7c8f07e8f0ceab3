"""A small schema with every kind of field, and what the tests of loading share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt, Strict, model_validator

from uniapl_cli.config.load import Root, load
from uniapl_cli.errors import ConfigError
from uniapl_cli.options import MISSING, Options, key, section
from uniapl_cli.registry import Choice, Named, NameOf, Registry

shapes: Registry[Any] = Registry("shape", supplied=("steps",))
objectives: Registry[Any] = Registry("objective")


class Weighted(Options):
    weight: float = key(1.0, "its share")


functions: Registry[Any] = Registry("function", base=Weighted, supplied=("judge",))
judges: Registry[Any] = Registry("judge")


@shapes.register("constant")
def constant(step: int, *, value: float) -> float:
    """The same at every step."""
    return value


@shapes.register("cosine")
def cosine(
    step: int, *, peak: float, end: float = 0.0, warmup: Annotated[int, Field(ge=0)] = 0, steps: int
) -> float:
    """Half a cosine."""
    return peak


def clip_range(*, low: float, high: float, **_: object) -> None:
    if low > high:
        raise ValueError(f"low = {low:g} is above high = {high:g}")


@objectives.register("nll")
def nll(logps: Any) -> Any:
    """SFT."""


@objectives.register("surrogate", sensible=clip_range)
def surrogate(
    logps: Any,
    *,
    reward: str,
    low: Annotated[float, Field(ge=0, le=1)] = 0.2,
    high: float = 0.2,
    level: Literal["token", "sequence"] = "token",
) -> Any:
    """PPO."""


@functions.register("verifier")
def verifier(rollouts: Any, *, judge: Any, mode: Literal["all", "fraction"] = "all") -> Any:
    """All pass."""


@functions.register("length")
def length(rollouts: Any) -> Any:
    """Tokens."""


class Loaded(Options):
    path: str = key(MISSING, "a folder")


@judges.register("polar")
class Polar(Loaded):
    cache_mb: int = key(256, "memory", may_change=True, ge=0)
    max_length: PositiveInt = key(16, "tokens of a whole input")


@judges.register("embedding")
class Embedding(Loaded):
    scale: float = key(4.0, "of the cosine", gt=0)
    token: str = Field("", min_length=0, pattern="[a-z]*", json_schema_extra={"secret": True})


class Optim(Options):
    lr: Annotated[Options, Choice(shapes, number=("constant", "value"))] = key(
        shapes.options("constant", value=1e-3), "learning rate"
    )
    learning_rate_decay: float = 0.0
    betas: Annotated[tuple[float, float], Strict(False)] = (0.9, 0.999)
    name: Literal["adamw", "muon", "on"] = "adamw"


class Run(Options):
    dir: str = key(MISSING, "folder of the run", may_change=True)
    steps: int = key(10, "how many", ge=1, le=1000)
    fast: bool = False


class Term(Options):
    objective: Annotated[Options, Choice(objectives)] = MISSING
    weight: str = "1"


class Reward(Options):
    functions: Annotated[dict[str, Options], Named(Choice(functions, number=(None, "weight")))]

    @model_validator(mode="after")
    def _some(self) -> Reward:
        if not self.functions:
            raise ValueError("no functions")
        return self


class Config(Root):
    seed: int = 0
    method: str | None = None
    run: Run = section(Run, "where")
    optim: Optim = section(Optim, "the optimiser")
    extra: Optim | None = None
    judge: Annotated[Options, Choice(judges, "polar")] | None = None
    terms: dict[str, Term] = {}
    schedules: dict[str, Annotated[Options, Choice(shapes, number=("constant", "value"))]] = {}
    rewards: dict[str, Reward] = {}
    scale: float | str = 1.0
    layout: Annotated[str, NameOf(shapes, ("auto",))] = "auto"
    tags: list[str] = []
    free: Any = None
    metrics: list[Annotated[Options, Choice(functions)]] = []


Write = Callable[..., Path]


def refused(path: Path | None, *overrides: str, **options: Any) -> ConfigError:
    """The error that loading raises; its text is always one line."""
    with pytest.raises(ConfigError) as caught:
        load(path, overrides, schema=Config, **options)
    assert "\n" not in str(caught.value)
    return caught.value
