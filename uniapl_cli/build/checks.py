"""Settings that cannot work, refused before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

from uniapl_cli.config import schema, stages
from uniapl_cli.errors import ConfigError
from uniapl_cli.types import Sampling

STEP = (
    "training.steps",
    "training.demonstrations",
    "training.prompts",
    "training.preferences",
    "training.samples",
    "training.demonstration_samples",
    "training.micro_batch_size",
    "training.inner_epochs",
    "training.max_resamples",
    "run.log_every",
    "run.save_every",
    "run.keep_checkpoints",
    "run.threads",
    "generation.batch_tokens",
    "discriminator.batch_tokens",
    "discriminator.max_response_length",
)


def positive(config: object, *keys: str) -> None:
    """Refuse values below 1; null passes, where a key may be null. Raises ConfigError."""
    _refuse(config, keys, lambda value: value < 1, "1 is the least")


def not_negative(config: object, *keys: str) -> None:
    """Refuse values below 0. Raises ConfigError."""
    _refuse(config, keys, lambda value: value < 0, "0 is the least")


def above_zero(config: object, *keys: str) -> None:
    """Refuse 0 and what is below it. Raises ConfigError."""
    _refuse(config, keys, lambda value: value <= 0, "it must be above 0")


def _refuse(config: object, keys: Iterable[str], wrong: Callable[[float], bool], rule: str) -> None:
    for key in keys:
        value = reduce(_below, key.split("."), config)
        if isinstance(value, (int, float)) and wrong(value):
            raise ConfigError(f"{key} = {value}: {rule}")


def _below(section: object, name: str) -> object:
    return section[name] if isinstance(section, dict) else getattr(section, name)


def sampling(given: stages.Sampling) -> Sampling:
    """Return checked sampling parameters. Raises ConfigError."""
    allowed = {
        "temperature": (given.temperature >= 0, "0 (greedy) or more"),
        "top_p": (0 < given.top_p <= 1, "above 0 and at most 1"),
        "top_k": (given.top_k >= 0, "0 (off) or more"),
        "max_new_tokens": (given.max_new_tokens >= 1, "1 or more"),
    }
    for name, (fine, rule) in allowed.items():
        if not fine:
            raise ConfigError(f"sampling.{name} = {getattr(given, name)}: it must be {rule}")
    return Sampling(given.temperature, given.top_p, given.top_k, given.max_new_tokens)


def rollout_sampling(config: schema.Config) -> None:
    """Refuse to sample rollouts from anything but the policy itself. Raises ConfigError."""
    given = sampling(config.sampling)
    if given.temperature == 0 or given.top_p < 1 or given.top_k > 0:
        raise ConfigError(
            "sampling: rollouts must be drawn from the policy itself, or the gradient is that of "
            "another one; use temperature above 0, top_p=1 and top_k=0"
        )
