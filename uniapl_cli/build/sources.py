"""Where a method's batches come from, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from uniapl_cli.build import models
from uniapl_cli.build.checks import sampling
from uniapl_cli.build.method import BATCHES, ROLLOUT_SOURCES
from uniapl_cli.build.sandboxes import judge
from uniapl_cli.build.signals import facts_of, signal
from uniapl_cli.build.streams import stream_of
from uniapl_cli.chat import Chat
from uniapl_cli.config import schema
from uniapl_cli.discriminators import Remembering
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.training.accumulate import Reference
from uniapl_cli.training.learner import Policy
from uniapl_cli.training.preferences import Choices, Labels
from uniapl_cli.training.reference import RolloutLogps
from uniapl_cli.training.signals import Signal
from uniapl_cli.training.sources import Demonstrations, Rollouts, Source
from uniapl_cli.training.terms import Plan


def micro_batch_sizes(config: schema.Config) -> dict[str, int]:
    """Return each source's rows a forward pass. Raises ConfigError."""
    given = config.training.micro_batch_sizes
    for name, size in given.items():
        if name not in BATCHES:
            raise ConfigError(f"training.micro_batch_sizes: {unknown('source', name, BATCHES)}")
        if size < 1:
            raise ConfigError(f"training.micro_batch_sizes.{name} = {size}: 1 is the least")
    return {name: given.get(name, config.training.micro_batch_size) for name in BATCHES}


def make_sources(
    config: schema.Config, method: Plan, policy: Policy, reference: Reference | None
) -> dict[str, Source]:
    """Return the sources that the method ever draws from."""
    active = method.ever_active(config.training.steps)
    chat = models.chat(config, policy.tokenizer)
    supplies: dict[str, Callable[[], Any]] = {
        "discriminator": cache(lambda: Remembering(models.discriminator(config))),
        "judge": cache(lambda: judge(config)),
        "reference": lambda: rollout_logps(config, policy, reference),
        "max_new_tokens": lambda: config.sampling.max_new_tokens,
    }
    signals: dict[str, Signal] = {}
    for name in {term.signal: 0 for term in active if term.signal is not None}:
        signals[name] = signal(name, config.signals[name] or schema.Signal(), supplies)
    generator = models.generator(config, policy.model, chat)
    sources: dict[str, Source] = {
        "demonstrations": demonstrations(config, policy, chat),
        "choices": Choices("preferences", chat),
        "labels": Labels("preferences", chat),
    }
    counts = (config.training.samples, config.training.demonstration_samples)
    for name, count in zip(ROLLOUT_SOURCES, counts, strict=True):
        sources[name] = Rollouts(
            name=name,
            stream=stream_of(name),
            chat=chat,
            generator=generator,
            sampling=sampling(config.sampling),
            samples=count,
            signals=signals,
            seed=config.seed,
            max_resamples=config.training.max_resamples,
            mask_truncated=config.training.mask_truncated_completions,
        )
    return sources


def demonstrations(config: schema.Config, policy: Policy, chat: Chat) -> Demonstrations:
    """Return the source of the teacher's responses, cut if the config has them cut."""
    if config.data.overlong != "truncate":
        return Demonstrations("demonstrations", chat)
    longest, context = config.data.max_response_tokens, models.context(policy.model)
    return Demonstrations("demonstrations", chat, longest, context)


def rollout_logps(
    config: schema.Config, policy: Policy, reference: Reference | None
) -> RolloutLogps:
    """Return what asks the frozen reference about rollouts."""
    assert reference is not None, "made where a score needs it"
    return RolloutLogps(
        reference,
        policy.device,
        policy.tokenizer.pad_token_id or 0,
        config.sampling.temperature,
        micro_batch_sizes(config)["rollouts"],
    )


def make_reference(config: schema.Config, method: Plan, policy: Policy) -> Policy | None:
    """Return the frozen start of the policy, if a term or a score compares with it."""
    active = method.ever_active(config.training.steps)
    facts = facts_of(config, {term.signal for term in active if term.signal is not None})
    if any(term.needs_reference for term in active) or any(f.get("policy") for f in facts):
        return models.reference(config, policy)
    return None
