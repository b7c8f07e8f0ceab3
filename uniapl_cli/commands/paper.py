"""A config as a plan's setup: what its model, sources and options say of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from uniapl_cli.commands import components
from uniapl_cli.commands.parts import (
    corrected,
    micro_batch_tokens,
    needs_reference,
    reward_needs,
)
from uniapl_cli.commands.streams import stream_size, terms_by_stream
from uniapl_cli.commands.updating import state_bytes
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators.local import LocalDiscriminator
from uniapl_cli.discriminators.polar.internlm2 import is_official, llama_config
from uniapl_cli.discriminators.polar.polar import Polar, read_settings
from uniapl_cli.generation import generators
from uniapl_cli.loading import policy_class, read_model_config
from uniapl_cli.loading.models import attention_of
from uniapl_cli.partition import pass_tokens
from uniapl_cli.planning.setup import Scorer, Setup
from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.world import World
from uniapl_cli.reasons import explained
from uniapl_cli.training.optim import is_installed, optimizers
from uniapl_cli.training.terms import Plan

# Tokens of marks around the parts that a discriminator reads.
MARKS = 8


def setup_of(config: Config, method: Plan, device: str, memory: int, world: World) -> Setup:
    """Return what the memory of a run depends on. Raises ConfigError and ModelError."""
    location = components.locate(config, "model.path", config.model.path)
    with config.blaming("model.path"):
        shape = read_model_config(location, config.model.revision)
        auto = policy_class(location, config.model.revision)
        attention = attention_of(location, shape, config.model.attention)
    text = shape.get_text_config()
    # Without an optimiser's package, what it says of its state must do.
    optimizer = optimizers.bind(config.optim) if is_installed(config.optim) else None
    draws = draws_of(config, method, device, getattr(text, "max_position_embeddings", None))
    return Setup(
        make=_maker(auto, shape, attention, location),
        vocabulary=int(text.vocab_size),
        precision=config.precision,
        device=device,
        memory=memory,
        optimizer=optimizer,
        state_bytes=state_bytes(config),
        draws=draws,
        sampling=config.sampling,
        adapter=config.model.adapter,
        exact=shape.dtype is not None and shape.dtype.itemsize < 4,
        reference=needs_reference(config, method),
        corrected=any(kind != "off" for kind in corrected(config, method).values()),
        recomputed=config.training.checkpoint_activations,
        elsewhere=bool(generators.entry(config.generation).traits.get("elsewhere")),
        batch_tokens=getattr(config.generation, "batch_tokens", None),
        discriminator=_scorer(config, draws) if _scores(config, method) else None,
        world=world,
    )


def _maker(auto: str, shape: Any, attention: str | None, location: str) -> Callable[[], Any]:
    def make() -> Any:
        """Return the model of the config, as transformers makes it."""
        import transformers

        with explained(f"cannot plan '{location}': its config.json", got=location):
            return getattr(transformers, auto).from_config(
                shape, dtype=torch.float32, attn_implementation=attention
            )

    return make


def draws_of(config: Config, method: Plan, device: str, context: int | None) -> tuple[Draw, ...]:
    """Return what each active source draws in a step, its rows as long as the config lets them."""
    draws = []
    for stream, terms in terms_by_stream(config, method).items():
        size = stream_size(config, stream, terms)
        for name in config.with_roots(term.source for term in terms):
            kind, options = config.source_kind(name), config.source(name)
            sampled = config.is_written(name)
            response = config.data.max_response_tokens
            if sampled:
                response = config.sampling.max_new_tokens
            prompt = config.data.max_prompt_tokens
            if context is not None:
                response = max(1, min(response, context - 1))
                prompt = max(1, min(prompt, context - response))
            draws.append(
                Draw(
                    source=name,
                    kind=kind.traits["batch"],
                    rows=getattr(options, "size", None)
                    or size * (getattr(options, "group_size", 1) if sampled else 1),
                    prompt=prompt,
                    response=response,
                    tokens=micro_batch_tokens(config, name, device),
                    pass_tokens=pass_tokens(device),
                    prompts=size if sampled and config.root(name) == name else 0,
                )
            )
    return tuple(draws)


def _scores(config: Config, method: Plan) -> bool:
    """Whether a discriminator scores rollouts in this process."""
    needed = "discriminator" in reward_needs(config, method)
    return needed and isinstance(config.discriminator, LocalDiscriminator)


def _scorer(config: Config, draws: tuple[Draw, ...]) -> Scorer:
    options = config.discriminator
    assert isinstance(options, LocalDiscriminator), "one in this process"
    location = components.find_discriminator(config)
    with config.blaming("discriminator.path"):
        shape, attention = read_discriminator(options, location)
    draw = max((d for d in draws if d.prompts), key=lambda d: d.rows)
    width = draw.prompt + draw.response + MARKS
    if isinstance(options, Polar):  # it reads the reference behind the prompt too
        width += draw.prompt + config.data.max_response_tokens
    width = min(width, getattr(shape, "max_position_embeddings", None) or width)
    return Scorer(
        make=_maker("AutoModel", shape, attention, location),
        rows=max(1, min(draw.rows, options.batch_tokens // width)),
        width=width,
        cached=2**20 * getattr(options, "cache_mb", 0),
    )


def read_discriminator(options: LocalDiscriminator, location: str) -> tuple[Any, str | None]:
    """Return the config of a discriminator's model and its attention. Raises ModelError."""
    if isinstance(options, Polar):
        settings = read_settings(location, options.revision)
        if is_official(settings):
            return llama_config(location, settings, options.attention), None
    shape = read_model_config(location, options.revision)
    return shape, attention_of(location, shape, options.attention)
