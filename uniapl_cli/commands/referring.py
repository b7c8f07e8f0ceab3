"""The references that a method needs: which they are, and the models of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.loading import check_vocabulary, load_tokenizer
from uniapl_cli.objectives import objectives
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.tensors import START
from uniapl_cli.training.average import Average
from uniapl_cli.training.contexts import RIGHT, Contexts, Showing
from uniapl_cli.training.optim import trained
from uniapl_cli.training.policy import Policy, load_model
from uniapl_cli.training.references import POLICY, InContext, ReferenceOptions, References
from uniapl_cli.training.terms import Plan, TermOptions


def of_term(config: Config, options: TermOptions) -> dict[str, Any]:
    """Return what a Term has to know of its references, by the names of its fields."""
    name = getattr(options.objective, "reference", START)
    other = config.references.get(name)
    named = bool(objectives.entry(options.objective).traits.get("reference"))
    return {
        "needs_reference": named and name == START,
        "references": (name,) if named and name != START else (),
        "shown": (RIGHT,) if other is not None and other.context == RIGHT else (),
    }


def needed(config: Config, method: Plan) -> list[str]:
    """Return the references that the method's active terms need, and those that read for them."""
    terms = method.ever_active
    names = {name for term in terms for name in (*term.references, *term.teachers)}
    names |= {START} if any(term.needs_reference for term in terms) else set()
    known = [config.references[name] for name in names if name in config.references]
    return sorted(names | {options.of for options in known if options.context is not None})


def others(config: Config, method: Plan) -> dict[str, ReferenceOptions]:
    """Return the options of the needed references that are in the config, by name."""
    return {n: config.references[n] for n in needed(config, method) if n in config.references}


def check_models(config: Config, method: Plan, chat: Chat) -> None:
    """Refuse references that say nothing of themselves, are not there, or speak other tokens.

    No weights are read. Raises ConfigError and ModelError.
    """
    for name, options in others(config, method).items():
        if options.context is not None or options.ema is not None:
            continue
        key = f"references.{name}.path"
        if options.path is None:
            raise ConfigError(
                f"the method needs reference '{name}', and nothing says which model it is",
                f"Type {key}=FOLDER, or write it in the file",
                key=key,
            )
        with config.blaming(key):
            location = components.model_location(options.path)
            refuse_revision(config, f"references.{name}.revision", options, location)
            tokenizer = load_tokenizer(location, options.revision)
            refuse_other_tokens(options.path, tokenizer, chat.tokenizer)


def refuse_revision(config: Config, key: str, options: ReferenceOptions, location: str) -> None:
    """Refuse a revision of a folder, which has none. Raises ConfigError."""
    if options.revision is not None and Path(location).exists():
        problem = f"'{options.path}' is a folder, not a model of the hub"
        raise config.error(key, f"'{key}' is '{options.revision}', and {problem}", got=key)


def refuse_other_tokens(name: str, theirs: Any, ours: Any) -> None:
    """Raise ModelError if a token is not the same to two tokenizers. name: that of the first."""
    vocabulary, own = theirs.get_vocab(), ours.get_vocab()
    if vocabulary == own:
        return
    differing = [t for t in {*vocabulary, *own} if vocabulary.get(t) != own.get(t)]
    token = min(differing, key=lambda t: (own.get(t, len(own)), t))
    there, here = (str(ids.get(token, "none")) for ids in (vocabulary, own))
    raise ModelError(
        f"the tokenizer of '{name}' is not the policy's: {token!r} is token {there} there, and "
        f"{here} here",
        "Name a model with the policy's own tokenizer",
        got=token,
    )


def make_references(
    config: Config,
    method: Plan,
    location: str,
    policy: Policy,
    start: Policy | None,
    chat: Chat,
    device: str,
) -> tuple[References, dict[str, Average]]:
    """Load the references that the method needs; return also those that follow the policy."""
    wanted = others(config, method)
    averages: dict[str, Average] = {}
    readers: dict[str, Policy] = {POLICY: policy}
    if start is not None:
        readers[START] = start
    for name, options in wanted.items():
        if options.ema is not None:
            averages[name] = average(config, location, policy, chat, device, options.ema)
            readers[name] = averages[name].policy
        elif options.path is not None:
            readers[name] = another(config, name, policy, device)
    showing = {
        name: Showing(options.context, options.text)
        for name, options in wanted.items()
        if options.context is not None
    }
    models: Mapping[str, Reference] = {
        **{name: model for name, model in readers.items() if name in wanted},
        **{name: InContext(readers[wanted[name].of], name) for name in showing},
    }
    return References(models, Contexts(chat, showing) if showing else None), averages


def another(config: Config, name: str, policy: Policy, device: str) -> Policy:
    """Load the frozen model of a reference that is given by its path."""
    options = config.references[name]
    assert options.path is not None, "checked before"
    with config.blaming(f"references.{name}.path"):
        location = components.model_location(options.path)
        model = load_model(
            location,
            device,
            precision=config.precision,
            frozen=True,
            attention=config.model.attention,
            revision=options.revision,
        ).eval()
        check_vocabulary(location, policy.tokenizer, model.config)
        return Policy(model, policy.tokenizer, config.precision, ranks=policy.ranks)


def average(
    config: Config, location: str, policy: Policy, chat: Chat, device: str, share: float
) -> Average:
    """Return the moving average of a policy that training starts from.

    What the policy does not train is one in memory with the policy's own, unless ranks share it.
    """
    copy = components.trained_policy(config, location, chat, device, policy.ranks)
    if not policy.ranks.sharded:
        own = dict(policy.model.named_parameters())
        for name, weight in copy.model.named_parameters():
            if not weight.requires_grad:
                weight.data = own[name].data
    return Average(copy, share, trained(policy.model))
