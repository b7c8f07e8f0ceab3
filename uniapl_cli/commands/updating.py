"""The updates of a step, and the optimiser that makes them."""

from __future__ import annotations

from typing import Any

from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.training.optim import Optimizer, optimizers, with_own_moments
from uniapl_cli.training.updates import Update, make_updates


def updates_of(config: Config) -> list[Update]:
    """Return the updates of a step. Raises ConfigError for terms that are not there, or in two."""
    for name, own in config.updates.items():
        key = f"updates.{name}.terms"
        for term in own.terms:
            if term not in config.terms:
                raise unknown("term", term, config.terms, ConfigError).at(config.origin(key), key)
    with config.blaming("updates"):
        return make_updates(config.updates, list(config.terms), config.training.max_grad_norm)


def make_optimizer(config: Config, model: Any) -> Optimizer:
    """Return the optimiser of a model's trainable parameters."""
    with config.blaming("optim.kind"):
        own = [update.moments for update in updates_of(config) if update.moments]
        make = optimizers.bind(config.optim)
        shared: Optimizer = make(model)
        return with_own_moments(shared, {n: make(model) for n in own}) if own else shared


def state_bytes(config: Config) -> int | None:
    """Return the bytes of an optimiser's state of a trained weight; None: its kind does not say."""
    bytes_of: int | None = optimizers.entry(config.optim).traits.get("state_bytes")
    own = sum(update.own_moments for update in config.updates.values())
    return None if bytes_of is None else bytes_of * (1 + own)
