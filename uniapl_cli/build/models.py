"""Sections of a config to models, generators and discriminators."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from uniapl_cli.build.checks import not_negative
from uniapl_cli.build.choices import located
from uniapl_cli.build.locations import model_location
from uniapl_cli.chat import Chat, read_template
from uniapl_cli.config import schema
from uniapl_cli.discriminators import Discriminator, discriminators
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.generation import Generator, generators
from uniapl_cli.precision import weights
from uniapl_cli.seeding import derive
from uniapl_cli.training.adapter import adapt, adapted_layers, require_peft
from uniapl_cli.training.learner import Policy, WithoutAdapter, load_policy


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
        model_location(model.path),
        place,
        dtype=weights(model.dtype, place, trained=trained),
        attention=model.attention,
        revision=model.revision,
    )


def check_adapter(model: schema.Policy) -> None:
    """Refuse an adapter where it cannot be trained. Raises ConfigError."""
    if model.adapter is not None:
        located("model.adapter", require_peft)


def trained_policy(config: schema.Config) -> Policy:
    """Load the policy that training starts from, with a new adapter if it is to have one."""
    given = config.model.adapter
    # Beside an adapter, the weights are only read.
    loaded = policy(config.model, config.run, trained=given is None)
    if adapted_layers(loaded.model):
        raise ModelError(
            f"model.path = '{config.model.path}' is an adapter, which cannot be trained on: name "
            "a whole model, such as the folder 'final' of the run that made it"
        )
    if given is not None:
        options = dataclasses.asdict(given)
        seed = derive(config.seed, "adapter")
        located("model.adapter", lambda: adapt(loaded.model, **options, seed=seed))
    stop_at(chat(config, loaded.tokenizer).stop_id, loaded)
    return loaded


def stop_at(token: int, loaded: Policy) -> None:
    """Note the token as the end of a response, so that other tools stop there too."""
    generation = loaded.model.generation_config
    listed = generation.eos_token_id
    listed = listed if isinstance(listed, list) else [listed]
    if token not in listed:
        generation.eos_token_id = [token, *(other for other in listed if other is not None)]
    if loaded.tokenizer.eos_token_id != token:
        loaded.tokenizer.eos_token = loaded.tokenizer.convert_ids_to_tokens(token)


def reference(config: schema.Config, started: Policy) -> Policy:
    """Return what the policy was at the start: its base without the adapter, or a frozen copy."""
    if config.model.adapter is not None:
        return WithoutAdapter(started)
    # Kept as the policy is, so that at the first step the two agree to the bit.
    frozen = policy(config.model, config.run, trained=True)
    frozen.model.requires_grad_(False)
    return frozen


def chat(config: schema.Config, tokenizer: Any) -> Chat:
    """Return the policy's chat with the run's choices.

    A template that they name is set on the tokenizer, and so saved with it.
    """
    named = check_template(config.chat)
    if named is not None:
        tokenizer.chat_template = named
    elif not tokenizer.chat_template:
        raise ConfigError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template: set "
            "chat.template=qwen2.5 (or qwen3, or the path of a .jinja file)"
        )
    return Chat(tokenizer, config.chat.thinking, config.chat.system)


def check_template(given: schema.Chat) -> str | None:
    """Return the chat template that is named, if one is. Raises ConfigError."""
    named = given.template
    return None if named is None else located("chat.template", lambda: read_template(named))


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
    return model_location(given.path), make


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
