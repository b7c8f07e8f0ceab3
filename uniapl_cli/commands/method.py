"""Makes a Plan of a config's terms and schedules, and refuses settings without any gradient."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.guiding import check_apart, check_sources
from uniapl_cli.commands.learning import check_learners
from uniapl_cli.commands.rates import learning_rate as learning_rate
from uniapl_cli.commands.rates import length as length
from uniapl_cli.commands.rates import not_finite
from uniapl_cli.commands.referring import of_term
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.commands.updating import updates_of
from uniapl_cli.commands.validation import check_validation
from uniapl_cli.config.schema import Config
from uniapl_cli.facts import facts
from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import advantages, corrections, objectives, reductions
from uniapl_cli.objectives.corrections import corrects
from uniapl_cli.readings import Reading
from uniapl_cli.rewards.reward import needs
from uniapl_cli.training.scheduling import (
    EVERY,
    known_corners,
    make_schedules,
    telling_steps,
    unforeseen,
)
from uniapl_cli.training.terms import Plan, Term, TermOptions

log = logging.getLogger("uniapl")


def plan(config: Config) -> Plan:
    """Return the config's terms and schedules as a Plan. Raises ConfigError."""
    steps = length(config)
    made = make_schedules(config.schedules, steps, config.seed)
    terms = [term(name, options, config) for name, options in config.terms.items()]
    if not terms:
        advice = "Choose a method: uniapl train sft|grpo|..."
        raise config.error("terms", "no terms: nothing to train", advice)
    unknown = uncertain(config, steps)
    telling = telling_steps(config.schedules.values(), steps)
    moving = [name for name, options in config.schedules.items() if unforeseen(options)]
    method = Plan(terms, made, steps, telling, unknown, moving)
    check_weights(config, method, telling)
    if not method.ever_active:
        raise config.error("terms", "no term ever has a weight other than 0: nothing to train")
    check_sources(config, method, telling)
    check_active(config, method)
    check_learners(config, method)
    return method


def term(name: str, options: TermOptions, config: Config) -> Term:
    """Return one term."""
    written = config.is_written(options.source)
    longest = config.sampling.max_new_tokens if written else config.data.max_response_tokens
    traits = objectives.entry(options.objective).traits
    level = getattr(options.objective, "importance_sampling_level", "token")
    reduction = reductions.entry(options.reduction).name
    if (level == "sequence" or traits.get("whole")) and reduction != "sequence":
        log.warning(
            "terms.%s.reduction: '%s' weighs a response by its length, and all its tokens have one "
            "ratio; GSPO and GMPO take sequence",
            name,
            reduction,
        )
    return Term(
        name,
        options.source,
        Formula(options.weight),
        objectives.bind(options.objective),
        getattr(options.objective, "reward", None),
        reduction=reductions.bind(options.reduction, longest=longest),
        corrects=bool(traits.get("corrects")),
        rows=options.conditions.get("rows"),
        tokens=options.conditions.get("tokens"),
        scale=options.conditions.get("scale"),
        over=options.over,
        readings=readings(options),
        **of_term(config, options),
    )


def readings(options: TermOptions) -> list[Reading]:
    """Return what a pass has to give beside log-probabilities for a term."""
    reads = objectives.entry(options.objective).traits.get("reads", ())
    own = reads(options.objective) if callable(reads) else reads
    named = {name for one in options.conditions.values() for name in one.names if name in facts}
    live = sorted(name for name in named if facts[name].traits["when"] == "pass")
    return [*dict.fromkeys([*own, *(r for n in live for r in facts[n].traits.get("reads", ()))])]


def uncertain(config: Config, steps: int) -> list[str]:
    """Return the terms whose weight may be other than 0 at a step of a long run that none checks.

    Their weights have schedules of a kind that does not say where its corners are.
    """
    if steps <= EVERY:
        return []
    unknown = {
        name
        for name, options in config.schedules.items()
        if known_corners(options) is None and not unforeseen(options)
    }
    return [name for name, term in config.terms.items() if Formula(term.weight).names & unknown]


def check_weights(config: Config, method: Plan, steps: Sequence[int]) -> None:
    """Refuse schedules and weights that are not finite at any of `steps`. Raises ConfigError."""
    for step in steps:
        values = {}
        for name, schedule in method.schedules.items():
            with config.blaming(f"schedules.{name}"):
                value = values[name] = schedule(step)
            if not math.isfinite(value):
                raise not_finite(config, f"schedules.{name}", value, step)
        for term in method.terms:
            with config.blaming(f"terms.{term.name}.weight"):
                weight = term.weight(values)
            if not math.isfinite(weight):
                raise not_finite(config, f"terms.{term.name}.weight", weight, step)


def check_active(config: Config, method: Plan) -> None:
    """Refuse settings under which an active term gets no gradient. Raises ConfigError."""
    names = config.with_roots(term.source for term in method.ever_active)
    if any(config.source_kind(name).traits.get("rewarded") for name in names):
        check_sampling(config)
    check_corrections(config, method)
    for term in method.ever_active:
        if term.reward is not None:
            check_reward(config, method, term)
        for reward in rewards_of(config, term):
            if "discriminator" in needs(config.rewards[reward]):
                components.check_discriminator(config, f"term '{term.name}'")


def check_corrections(config: Config, method: Plan) -> None:
    """Refuse a correction that no active term of its source takes. Raises ConfigError."""
    correcting = [kind for kind in objectives if objectives[kind].traits.get("corrects")]
    for name in dict.fromkeys(term.source for term in method.ever_active):
        chosen = getattr(config.source(name), "correction", None)
        terms = [term for term in method.ever_active if term.source == name]
        if chosen is not None and corrects(chosen) and not any(term.corrects for term in terms):
            key = f"sources.{name}.correction"
            raise config.error(
                key,
                f"'{key}' weighs the losses of {', '.join(correcting)}, and no term over '{name}' "
                "has such an objective: it would do nothing",
                f"Set {key}=off",
                got=corrections.entry(chosen).name,
            )


def check_sampling(config: Config) -> None:
    """Refuse sampling that changes the policy's distribution. Raises ConfigError."""
    sampling = config.sampling
    wrong = {
        "temperature": sampling.temperature == 0,
        "top_p": sampling.top_p < 1,
        "top_k": sampling.top_k > 0,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise config.error(
            f"sampling.{name}",
            f"'sampling.{name}' is {getattr(sampling, name)}, but rollouts must be drawn from the "
            "policy itself, or the gradient is that of another one",
            "Use temperature above 0, top_p=1 and top_k=0",
            got=getattr(sampling, name),
        )


def check_reward(config: Config, method: Plan, term: Term) -> None:
    """Refuse a reward that would always be 0 or counted twice. Raises ConfigError."""
    assert term.reward is not None
    key, reward = f"rewards.{term.reward}", config.rewards[term.reward]
    root = config.root(term.source)
    source = config.source(root)
    rule = advantages.entry(reward.advantage)
    count = getattr(source, "num_generations", 2)
    check_apart(config, term)
    count += getattr(source, "expert", "none") == "joins"
    if rule.traits.get("contrast") and count < 2:
        name = f"sources.{root}.num_generations"
        raise config.error(
            name,
            f"there is one rollout a prompt, and advantage '{rule.name}' of {key} compares a "
            f"prompt's rollouts with each other for term '{term.name}': it would always be 0",
            f"Set {name}=2 or more",
            got=count,
        )
    if reward.zero_variance == "resample" and source.per_step() is None:
        raise config.error(
            f"{key}.zero_variance",
            f"'{key}.zero_variance' is 'resample', which would take other prompts than the "
            f"demonstrations' own for term '{term.name}'",
            "Use keep or drop",
            got="resample",
            allowed=("keep", "drop"),
        )
    kinds = {objectives.entry(config.terms[t.name].objective).name for t in method.ever_active}
    for name, function in reward.functions.items():
        kind = getattr(function, "kind", None)
        if kind == "kl" and "kl" in kinds:
            raise config.error(
                f"{key}.functions.{name}",
                "the divergence from the reference would count twice, in the reward and as a term",
                f"Remove the function ({key}.functions.{name}=null) or the term (terms.kl=null)",
            )
        buffer = getattr(function, "buffer", 0)
        if kind == "overlong" and buffer > config.sampling.max_new_tokens:
            raise config.error(
                f"{key}.functions.{name}.buffer",
                f"'{key}.functions.{name}.buffer' is {buffer:g}, and no response is longer than "
                f"sampling.max_new_tokens = {config.sampling.max_new_tokens}",
                got=buffer,
            )


def check_method(config: Config) -> dict[str, Any]:
    """Check method and validation without reading data or models; return the first weights."""
    method = plan(config)
    learning_rate(config)
    updates_of(config)
    check_validation(config, method)
    return {"weights at step 1": method.weights(0)}
