"""What a training run is made of beside the policy: sources, rewards, and what these share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.generator import is_elsewhere, training_generator
from uniapl_cli.commands.referring import needed
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators import CachedDiscriminator
from uniapl_cli.generation import Generator
from uniapl_cli.objectives import corrections
from uniapl_cli.partition import default_tokens
from uniapl_cli.rewards.reference import Reference, RolloutLogps
from uniapl_cli.rewards.reward import Reward, make_reward, needs
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.sources import Parts, Source
from uniapl_cli.sources.sampled import SampledOptions
from uniapl_cli.tensors import START
from uniapl_cli.training.learner import Learner
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.terms import Plan

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class Shared:
    """What sources, rewards and validation share.

    reference: the policy as it was at the start, where it is needed. generator: makes it when it is
    first asked for. supplies: so too what reward functions take, by the name of their parameter.
    """

    chat: Chat
    policy: Policy
    reference: Policy | None
    generator: Callable[[], Generator]
    supplies: Mapping[str, Callable[[], Any]]


def reward_needs(config: Config, method: Plan) -> set[str]:
    """Return what the active terms' rewards need: a discriminator, the frozen policy ..."""
    rewards = {name for term in method.ever_active for name in rewards_of(config, term)}
    return {need for name in rewards for need in needs(config.rewards[name])}


def needs_reference(config: Config, method: Plan) -> bool:
    """Whether an active term, a reward or another reference needs the frozen start."""
    return START in needed(config, method) or "policy" in reward_needs(config, method)


def samples(config: Config, method: Plan) -> bool:
    """Whether an active term samples the policy."""
    names = config.with_roots(term.source for term in method.ever_active)
    return any(config.source_kind(name).traits.get("rewarded") for name in names)


def make_shared(
    config: Config,
    method: Plan,
    chat: Chat,
    policy: Policy,
    reference: Policy | None,
    device: str,
    learners: Mapping[str, Learner] = MappingProxyType({}),
) -> Shared:
    """Return what is shared."""
    rollouts = samples(config, method)
    key = "model.path" if rollouts or config.validation.samples_policy else None
    supplies: dict[str, Callable[[], Any]] = {
        "discriminator": cache(
            lambda: CachedDiscriminator(components.discriminator(config, device))
        ),
        "judge": cache(lambda: components.judge(config, policy.ranks.local_world)),
        "reference": lambda: rollout_logps(config, policy, reference),
        "max_new_tokens": lambda: config.sampling.max_new_tokens,
        "learners": lambda: {name: one.score for name, one in learners.items()},
    }
    scratch = RunDirectory(Path(config.run.dir)).scratch.absolute()
    made = config, policy, chat, key, scratch, config.sampling if rollouts else None
    generator = cache(lambda: training_generator(*made))
    return Shared(chat, policy, reference, generator, supplies)


def make_sources(config: Config, method: Plan, shared: Shared) -> dict[str, Source]:
    """Return the sources that the method ever draws from, in the order of its terms."""
    rewards: dict[str, Reward] = {
        name: make_reward(name, config.rewards[name], shared.supplies, shared.policy.ranks)
        for name in dict.fromkeys(n for t in method.ever_active for n in rewards_of(config, t))
    }
    parts = Parts(
        shared.chat,
        shared.generator(),
        rewards,
        config.sampling,
        config.seed,
        shared.policy,
        is_elsewhere(config),
        shared.policy.ranks,
        config.training.micro_batch_tokens or default_tokens(shared.policy.device.type),
    )
    names = config.with_roots(term.source for term in method.ever_active)
    for name, kind in corrected(config, method).items():
        if kind != "off":
            log.info("sources.%s.correction is %s", name, kind)
    return {name: config.source(name).make(name, parts) for name in names}


def corrected(config: Config, method: Plan) -> dict[str, str]:
    """Return the correction of each source that an active term corrects, by the source's name."""
    names = dict.fromkeys(term.source for term in method.ever_active if term.corrects)
    sources = {name: config.source(name) for name in names}
    return {
        name: corrections.entry(source.corrected(is_elsewhere(config))).name
        for name, source in sources.items()
        if isinstance(source, SampledOptions)
    }


def rollout_logps(config: Config, policy: Policy, reference: Reference | None) -> RolloutLogps:
    """Return a function from rollouts to their log-probabilities under the frozen reference."""
    assert reference is not None, "made where a reward needs it"
    return RolloutLogps(
        reference,
        policy.device,
        policy.tokenizer.pad_token_id or 0,
        config.sampling.temperature,
        micro_batch_tokens(config, "rollouts", policy.device.type),
        policy.ranks,
    )


def micro_batch_tokens(config: Config, source: str, device: str) -> int:
    """Return how many padded tokens of a source a forward pass takes on a kind of device."""
    own, common = config.source(source).micro_batch_tokens, config.training.micro_batch_tokens
    return own or common or default_tokens(device)
