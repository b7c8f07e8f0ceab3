"""Sections of a config to models, generators and discriminators."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from uniapl_cli.build.checks import not_negative
from uniapl_cli.build.method import located
from uniapl_cli.chat import Chat
from uniapl_cli.config import schema
from uniapl_cli.discriminators import Discriminator, discriminators
from uniapl_cli.errors import ConfigError
from uniapl_cli.generation import Generator, generators
from uniapl_cli.precision import weights
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.learner import Policy, load_policy


def device(run: schema.Run) -> str:
    """Return the device to compute on, after setting the number of CPU threads."""
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    if run.device != "auto":
        try:
            torch.empty(0, device=run.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"run.device = '{run.device}' cannot be used: {reason}") from None
        return run.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def policy(model: schema.Model, run: schema.Run, *, trained: bool = False) -> Policy:
    """Load a language model and its tokenizer."""
    place = device(run)
    return load_policy(
        resolve(model.path),
        place,
        dtype=weights(model.dtype, place, trained=trained),
        attention=model.attention,
        revision=model.revision,
    )


def chat(config: schema.Config, tokenizer: Any) -> Chat:
    """Return the tokenizer's chat with the run's choices."""
    return Chat(tokenizer, config.chat.thinking, config.chat.system)


def generator(config: schema.Config, model: Any, chat: Chat) -> Generator:
    """Return the generator over a model."""
    options = {"batch_tokens": config.generation.batch_tokens}
    return generators[config.generation.backend].bind(options)(model, chat)


def discriminator(config: schema.Config) -> Discriminator:
    """Load the discriminator. Raises ConfigError when none is named."""
    given = config.discriminator
    path, make = discriminator_maker(config)
    place = device(config.run)
    return make(path, place, weights(given.dtype, place, trained=False))


def discriminator_maker(config: schema.Config) -> tuple[str, Callable[..., Discriminator]]:
    """Check what the config says of the discriminator, as far as that goes without loading it."""
    given = config.discriminator
    if given.path is None:
        raise ConfigError(
            "the anchor needs a discriminator: set discriminator.path (a folder, or tiny:polar)"
        )
    not_negative(config, "discriminator.cache_mb")
    entry = discriminators[given.kind]
    make = located("discriminator.params", lambda: entry.bind(given.params, **polar_options(given)))
    return resolve(given.path), make


def free_params(config: schema.Config) -> Sequence[str]:
    """Return which of discriminator.params change no score: where a server is, say."""
    return discriminators[config.discriminator.kind].facts.get("free", ())


def polar_options(given: schema.Discriminator) -> dict[str, Any]:
    """Return what the section says beyond kind, path, dtype and the kind's own params."""
    options = dataclasses.asdict(given)
    return {n: options[n] for n in options.keys() - {"kind", "path", "dtype", "params"}}


def context(model: Any) -> int:
    """Return how many tokens the model can hold; very many where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None) or sys.maxsize
