"""Which keys a verb reads. The others may be unset, and may change when a run is resumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from uniapl_cli.commands.referring import others
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.commands.streams import FILES, terms_by_stream
from uniapl_cli.config.schema import Config
from uniapl_cli.rewards.reward import needs
from uniapl_cli.training.terms import Plan

# The sections of the verbs that train nothing, without those that they require.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "data compose": ("data",),
    "teacher-gen": ("chat", "data", "generation", "teacher"),
    "filter-gt": ("data", "sandbox"),
    "analyse": ("chat", "data", "discriminator", "generation", "sandbox", "teacher"),
    "eval": ("chat", "data", "discriminator", "generation", "sandbox"),
    "score": ("data", "discriminator"),
    "inspect": ("chat", "data", "model"),
    "pretrain-polar": ("data", "discriminator", "optim", "polar", "run"),
}
# What training always reads.
ALWAYS = (
    "seed",
    "precision",
    "method",
    "model",
    "chat",
    "run",
    "training",
    "optim",
    "schedules",
    "terms",
    "updates",
    "learners",
)
POLAR = frozenset(
    {"seed", "precision", "method", "data", "discriminator", "training", "optim", "schedules"}
    | {"updates"}
    | {"terms", "sources.comparisons"}
    | {"polar.init", "polar.trajectories", "polar.separator", "polar.tail"}
)
# Of what these name, the content is compared, wherever it is.
BY_CONTENT = frozenset(
    {"model.path", "chat.template", "discriminator.path", "polar.init", "polar.trajectories"}
    | {f"{section}.{name}" for section in ("data", "validation") for name in FILES}
    | {"validation.benchmark_data"}
)


def keys_of_training(config: Config, method: Plan) -> set[str]:
    """Return the keys, or the sections, that training reads: those of the terms ever active."""
    keys = set(ALWAYS)
    streams = terms_by_stream(config, method)
    if read := [name for name in FILES if name in streams]:
        of_each = {*FILES, "layouts", "splits"}
        keys |= {f"data.{name}" for name in type(config.data).model_fields if name not in of_each}
        keys |= {f"data{of}.{name}" for name in read for of in ("", ".layouts", ".splits")}
    names = config.with_roots(term.source for term in method.ever_active)
    kinds = {name: config.source_kind(name) for name in names}
    keys |= {f"sources.{name}" for name in [*kinds, *streams]}
    if any(kind.traits.get("rewarded") for kind in kinds.values()):
        keys |= {"sampling", "generation"}
    keys |= {f"references.{name}" for name in others(config, method)}
    rewards = {name for term in method.ever_active for name in rewards_of(config, term)}
    keys |= {f"rewards.{name}" for name in rewards}
    # Whether there is one at all is read always: a run goes on with its validation, or without.
    measured = config.validation.every is not None
    keys |= keys_of_validation(config) if measured else {"validation.every"}
    needed = {need for name in rewards for need in needs(config.rewards[name])}
    keys |= {"discriminator"} if "discriminator" in needed else set()
    return keys | ({"sandbox"} if "constraints" in needed else set())


def keys_of_validation(config: Config) -> set[str]:
    """Return the keys, or the sections, that measuring a run while it trains reads."""
    options, of_files = config.validation, {*FILES, "splits"}
    keys = {"validation"}
    keys |= {f"data.{name}" for name in type(config.data).model_fields if name not in of_files}
    keys |= {"generation", "sandbox"} if options.samples_policy else set()
    keys |= {"sampling.max_new_tokens"} if options.sampling is None else set()
    return keys | ({"discriminator"} if options.compares else set())


def is_read(key: str, keys: Collection[str]) -> bool:
    """Whether a key is one of `keys`, or in one of those sections."""
    return any(key == other or key.startswith((f"{other}.", f"{other}[")) for other in keys)
