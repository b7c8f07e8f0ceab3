"""A small schema with every kind of field, and what the tests of loading share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from uniapl_cli.config.load import load
from uniapl_cli.errors import ConfigError


@dataclass
class Term:
    objective: str = "???"
    weight: str = "1"
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class Optim:
    lr: float = field(default=1e-3, metadata={"help": "learning rate"})
    learning_rate_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    name: Literal["adamw", "muon", "on"] = "adamw"


@dataclass
class Run:
    dir: str = field(default="???", metadata={"help": "folder of the run"})
    steps: int = 10
    fast: bool = False


@dataclass
class Config:
    seed: int = 0
    method: str | None = None
    run: Run = field(default_factory=Run, metadata={"help": "where"})
    optim: Optim = field(default_factory=Optim)
    extra: Optim | None = None
    terms: dict[str, Term | None] = field(default_factory=lambda: {"kl": Term("kl", "beta")})
    schedules: dict[str, Any] = field(default_factory=dict)
    scale: float | str = 1.0
    tags: list[str] = field(default_factory=list)
    free: Any = None
    steps_of: list[Term] = field(default_factory=list)


Write = Callable[..., Path]


def said(path: Path | None, *overrides: str, **options: Any) -> str:
    """The message of the error that loading raises; always one line."""
    with pytest.raises(ConfigError) as caught:
        load(path, overrides, schema=Config, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
