"""Further learners: what a config says of them, checked, and made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.batches import PairBatch
from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.rates import learning_rate
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators.scalar import ScalarModel, load_scalar, look_scalar, new_classifier
from uniapl_cli.errors import ConfigError, DataError, unknown
from uniapl_cli.objectives import objectives
from uniapl_cli.objectives.objective import batch_type
from uniapl_cli.partition import default_tokens
from uniapl_cli.ranks import Ranks
from uniapl_cli.ranks.replicated import replicated
from uniapl_cli.rewards.functions import reward_functions
from uniapl_cli.sources import sources
from uniapl_cli.training.discriminator import TrainableDiscriminator
from uniapl_cli.training.learner import POLICY, Learner, LearnerOptions
from uniapl_cli.training.optim import Optimizer, optimizers, require_package
from uniapl_cli.training.pairing import Conversations, PolicyTokens, Reading
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term


def check_learners(config: Config, method: Plan) -> None:
    """Refuse learners that nobody reads or that cannot learn, and names of none.

    Raises ConfigError.
    """
    read = readers(config, method.terms)
    for key, name in read.items():
        if name not in config.learners:
            error = unknown("learner", name, config.learners, ConfigError)
            raise error.at(config.origin(key), key)
    for name, options in config.learners.items():
        own = f"learners.{name}"
        if name not in read.values():
            raise config.error(
                own,
                f"no term's reward reads '{own}': it would learn for nobody",
                f"Add rewards.NAME.functions.learner={{name: {name}}}, or leave {own} out",
                got=name,
            )
        if not name.isidentifier():
            problem = f"'{name}' is no name of a learner, whose files are named after it"
            raise config.error(own, problem, "Use letters, digits and _", got=name)
        config.require(own)
        if name in active(config, method):
            check_source(config, method, own, options)
        check_objective(config, own, options)
        learning_rate(config, f"{own}.optim")
        with config.blaming(f"{own}.optim.kind"):
            require_package(options.optim)


def readers(config: Config, terms: Sequence[Term]) -> dict[str, str]:
    """Return the learners that the terms' rewards read, by the keys that name them."""
    return {
        f"rewards.{reward}.functions.{function}.name": str(getattr(own, "name", None))
        for term in terms
        for reward in rewards_of(config, term)
        for function, own in config.rewards[reward].functions.items()
        if reward_functions.wants(own, "learners")
    }


def active(config: Config, method: Plan) -> dict[str, LearnerOptions]:
    """Return the learners whose scores terms that are ever active take; the others are not made."""
    names = set(readers(config, method.ever_active).values())
    return {name: options for name, options in config.learners.items() if name in names}


def check_source(config: Config, method: Plan, own: str, options: LearnerOptions) -> None:
    """Refuse a source that no term has, or that has no rollouts. Raises ConfigError."""
    drawn = config.with_roots(term.source for term in method.ever_active)
    fitting = [name for name in drawn if config.source_kind(name).traits.get("rewarded")]
    if options.source not in fitting:
        raise config.error(
            f"{own}.source",
            f"'{own}.source' is '{options.source}', and no active term has rollouts from there",
            f"Sources of terms that have: {', '.join(fitting) or '(none)'}",
            got=options.source,
            allowed=fitting,
        )


def check_objective(config: Config, own: str, options: LearnerOptions) -> None:
    """Refuse an objective that is not of pairs. Raises ConfigError."""
    chosen = objectives[options.objective]
    if batch_type(chosen) is not PairBatch:
        fitting = [name for name in objectives if batch_type(objectives[name]) is PairBatch]
        raise config.error(
            f"{own}.objective",
            f"objective '{chosen.name}' takes a {batch_type(chosen).__name__}, and a learner has "
            "pairs of scores",
            f"These take them: {', '.join(fitting)}",
            got=chosen.name,
            allowed=fitting,
        )


def check_teachers(config: Config, method: Plan, streams: Mapping[str, Stream[Any]]) -> None:
    """Refuse rows without any teacher's response for a learner to compare. Raises DataError."""
    for name, options in active(config, method).items():
        stream = sources.entry(config.source(options.source)).traits["stream"]
        if all(item.example.response is None for item in streams[stream].items):
            raise DataError(
                f"no row has a 'response' by the teacher, which 'learners.{name}' compares "
                "rollouts with",
                "Run uniapl teacher-gen on these prompts",
                key=f"data.{stream}",
                where=config.origin(f"data.{stream}"),
            )


def learner_locations(config: Config, method: Plan) -> dict[str, str]:
    """Return where the models are that learners start from, by key; not where it is the policy."""
    found = {}
    for name, options in active(config, method).items():
        if options.init != POLICY:
            key = f"learners.{name}.init"
            with config.blaming(key):
                found[key] = components.model_location(options.init)
                look_scalar(found[key])
    return found


def make_learners(
    config: Config, method: Plan, location: str, chat: Chat, device: str, ranks: Ranks
) -> dict[str, Learner]:
    """Return the active learners at their start. location: of the policy's start."""
    locations = learner_locations(config, method)
    made = {}
    for name, options in active(config, method).items():
        key = f"learners.{name}"
        with config.blaming(f"{key}.init"):
            scalar, reading = started(config, locations.get(f"{key}.init"), location, chat, device)
        trainable = TrainableDiscriminator(
            scalar, device, config.precision, ranks=replicated(ranks)
        )
        made[name] = Learner(
            name,
            options,
            trainable,
            make_optimizer(config, f"{key}.optim", options, scalar),
            reading,
            objectives.bind(objectives.options(options.objective)),
            learning_rate(config, f"{key}.optim"),
            tokens_of(config, options, trainable.device.type),
            config.seed,
            config.training.exact_sums,
        )
    return made


def started(
    config: Config, own: str | None, location: str, chat: Chat, device: str
) -> tuple[ScalarModel, Reading]:
    """Return what a learner starts from, and how it reads rollouts. Raises ModelError."""
    options: dict[str, Any] = {"precision": config.precision}
    if own is not None:
        scalar = load_scalar(own, device, **options)
        return scalar, Conversations(own, scalar.tokenizer)
    options |= {"attention": config.model.attention, "revision": config.model.revision}
    return ScalarModel(new_classifier(location, device, **options), chat.tokenizer), PolicyTokens(
        chat
    )


def make_optimizer(
    config: Config, key: str, options: LearnerOptions, scalar: ScalarModel
) -> Optimizer:
    """Return a learner's optimiser."""
    with config.blaming(f"{key}.kind"):
        return optimizers.bind(options.optim)(scalar.model)


def tokens_of(config: Config, options: LearnerOptions, device: str) -> int:
    """Return how many padded tokens a learner's pass takes."""
    common = config.training.micro_batch_tokens
    return options.micro_batch_tokens or common or default_tokens(device)
