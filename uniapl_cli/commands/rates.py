"""The length of a run, and learning rates by step."""

from __future__ import annotations

import math

from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError
from uniapl_cli.options import MISSING
from uniapl_cli.training.optim import OptimOptions
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.scheduling import make_schedule, telling_steps

# AdamW moves a weight by about the learning rate, and no weight of a model is nearly as large.
HIGHEST_LR = 100.0


def length(config: Config) -> int:
    """Return the steps of the run; 1 where the config does not say."""
    return 1 if config.training.steps == MISSING else config.training.steps


def learning_rates(config: Config) -> dict[str, OptimOptions]:
    """Return the sections of the config that have a learning rate, by their keys."""
    others = {f"learners.{name}.optim": one.optim for name, one in config.learners.items()}
    return {"optim": config.optim, **others}


def learning_rate(config: Config, section: str = "optim") -> Schedule:
    """Return the learning rate by step. Raises ConfigError where it is below 0 or too high."""
    steps, options = length(config), learning_rates(config)[section].lr
    key, lr = f"{section}.lr", make_schedule(options, steps)
    for step in telling_steps([options], steps):
        if not math.isfinite(lr(step)):
            raise not_finite(config, key, lr(step), step)
        if not 0 <= lr(step) <= HIGHEST_LR:
            problem = f"'{key}' is {lr(step):g} at step {step + 1}: it must be in 0 to"
            raise config.error(key, f"{problem} {HIGHEST_LR:g}", got=lr(step))
    return lr


def not_finite(config: Config, key: str, value: float, step: int) -> ConfigError:
    """Return the error that a schedule or a weight is NaN or infinite at a step."""
    problem = f"'{key}' is {value} at step {step + 1}: a finite number is needed"
    return config.error(key, problem, got=value)
