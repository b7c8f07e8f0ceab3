"""Makes what a config describes: models, chat, discriminator, judge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from uniapl_cli import precision
from uniapl_cli.chat import Chat, read_template
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators import Discriminator
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.loading import check_vocabulary, hub_file, load_tokenizer, read_model_config
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.sandbox import Sandbox, SandboxOptions, package_folders
from uniapl_cli.seeding import derive
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.adapter import adapt, adapted_layers
from uniapl_cli.training.policy import Policy, WithoutAdapter, load_model, stop_at
from uniapl_cli.verifiers import Judge

log = logging.getLogger("uniapl")


def locate(config: Config, key: str, name: str) -> str:
    """Return the folder or hub name of the model that `key` names. Raises ModelError."""
    with config.blaming(key):
        location = model_location(name)
    check_revision(config, f"{key.partition('.')[0]}.revision", name, location)
    return location


def check_revision(config: Config, key: str, name: str, location: str) -> None:
    """Refuse a revision of a folder, which has none. Raises ConfigError."""
    revision = getattr(getattr(config, key.partition(".")[0]), "revision", None)
    if revision is not None and Path(location).exists():
        raise config.error(
            key,
            f"'{key}' is '{revision}', and '{name}' is a folder, not a model of the hub",
            f"Leave {key} out",
            got=revision,
        )


def model_location(name: str) -> str:
    """Return the folder or hub name of a model; for a run's directory, its final model.

    `tiny:NAME` is a shipped model; a folder of a model and a hub's name are returned as they are.
    Raises ModelError for a run that has not finished, and for a folder that is not there.
    """
    path = resolve(name)
    # A hub's name has one slash at most and begins with a letter; others can only be folders.
    if (path.count("/") > 1 or path.startswith((".", "/", "~"))) and not Path(path).exists():
        raise ModelError(
            f"there is no folder '{name}'",
            "If a run is to make it, such as the stage before this one, train that first",
            got=name,
        )
    run = RunDirectory(Path(path))
    if not run.config.is_file() or (run.path / "config.json").exists():
        return path
    if not run.finished:
        problem = f"'{name}' is a run that has not finished"
        if run.damage:
            problem = f"'{name}' is a run whose final model is not whole: {run.damage}"
        raise ModelError(problem, f"Finish it: {_command(run)}", got=name)
    return str(run.final)


def _command(run: RunDirectory) -> str:
    """Return the command that continues a run."""
    method = yaml.safe_load(run.config.read_text("utf-8")).get("method")
    verb = "pretrain-polar" if method == "polar" else f"train {method}"
    return f"uniapl {verb} --config {run.config}"


def policy_chat(config: Config, location: str, key: str = "model.path") -> Chat:
    """Return the policy's tokenizer with the run's chat template, which is saved with it.

    `key` is the one that named the model.
    """
    with config.blaming(key):
        tokenizer = load_tokenizer(location, config.model.revision)
    if config.chat.template is not None:
        with config.blaming("chat.template"):
            tokenizer.chat_template = read_template(config.chat.template)
    elif not tokenizer.chat_template:
        raise config.error(
            "chat.template",
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            "Set chat.template=qwen2.5 (or qwen3, or the path of a .jinja file)"
            + (", or eval.prompts=plain" if key == "eval.model" else ""),
        )
    with config.blaming(key):
        check_fit(location, tokenizer, config.model.revision)
    with config.blaming(key if config.chat.template is None else "chat.template"):
        return Chat(tokenizer, config.chat.thinking, config.chat.system, config.chat.date)


def check_fit(location: str, tokenizer: Any, revision: str | None) -> None:
    """Refuse a tokenizer that knows more tokens than the model beside it. Raises ModelError."""
    # A folder of a tokenizer alone has none.
    if not Path(location).exists() or hub_file(location, "config.json"):
        check_vocabulary(location, tokenizer, read_model_config(location, revision))


def model(
    config: Config, location: str, device: str, *, trained: bool = False, key: str = "model.path"
) -> Any:
    """Load the weights of the policy; `key` is the one that named it."""
    options = config.model
    with config.blaming(key):
        return load_model(
            location,
            device,
            precision=config.precision,
            frozen=not trained,
            attention=options.attention,
            revision=options.revision,
        ).eval()  # with dropout, sampler and trainable would be two different policies


def trained_policy(
    config: Config, location: str, chat: Chat, device: str, ranks: Ranks = ALONE
) -> Policy:
    """Load the policy that training starts from, with a new adapter if it is to have one.

    ranks: who train it together.
    """
    adapter = config.model.adapter
    loaded = model(config, location, device, trained=True)
    if adapted_layers(loaded):
        raise config.error(
            "model.path",
            f"'model.path' is '{config.model.path}', an adapter, which cannot be trained on",
            "Name a whole model, such as the folder 'final' of the run that made it",
            got=config.model.path,
        )
    if adapter is not None:
        with config.blaming("model.adapter"):
            # Merged with the adapter, they are the final model's, so they lose nothing here.
            precision.freeze(loaded, precision.resolve(config.precision, device), exactly=True)
            adapt(loaded, adapter, seed=derive(config.seed, "adapter"))
    stop_at(chat.stop_id, loaded, chat.tokenizer)
    with config.blaming("model.path"):
        return Policy(loaded, chat.tokenizer, config.precision, ranks=ranks)


def announce_dtype(config: Config, before: torch.dtype | None) -> None:
    """Log that final/ will be larger than what training starts from, and how it would not be."""
    if config.run.final_dtype != "auto" or before is None or before.itemsize >= 4:
        return
    small = str(before).removeprefix("torch.")
    log.info(
        "the weights in final/ will be float32, as they are trained, and those of the start are "
        "%s; run.final_dtype=%s keeps their size, and rounds small updates away",
        small,
        small,
    )


def reference(config: Config, location: str, policy: Policy, device: str) -> Policy:
    """Return the policy as it was at the start: without its adapter, or as a frozen copy."""
    if config.model.adapter is not None:
        return WithoutAdapter(policy)
    loaded = model(config, location, device)
    return Policy(loaded, policy.tokenizer, config.precision, ranks=policy.ranks)


def check_discriminator(config: Config, why: str = "this command") -> None:
    """Check the discriminator's options and that it exists, without loading it. Raises ConfigError.

    `why` says in the error what needs it.
    """
    if config.discriminator is None:
        raise ConfigError(
            f"{why} needs a discriminator, and none is named",
            "Set discriminator.path (a folder, or tiny:polar)",
            key="discriminator.path",
        )
    config.require("discriminator")
    with config.blaming("discriminator.api_key_env"):
        config.discriminator.check()
    locate(config, "discriminator.path", config.discriminator.path)


def find_discriminator(config: Config, why: str = "this command") -> str:
    """Return the discriminator's location, checked to fit its kind. Raises ConfigError."""
    check_discriminator(config, why)
    options = config.discriminator
    assert options is not None, "checked above"
    location = locate(config, "discriminator.path", options.path)
    with config.blaming("discriminator.path"):
        options.look(location)
    return location


def discriminator(config: Config, device: str) -> Discriminator:
    """Load the discriminator. Raises ConfigError when none is named."""
    location = find_discriminator(config)
    options = config.discriminator
    assert options is not None, "checked above"
    with config.blaming("discriminator.path"):
        return options.make(location, device, config.precision)


def sandbox(config: Config, workers: int | None = None) -> Callable[[Sequence[str]], Sandbox]:
    """Return a picklable function that starts the sandbox of code that may import some packages."""
    options = config.sandbox
    with config.blaming("sandbox.packages"):
        package_folders(options.packages)
    return partial(start_sandbox, options, workers or options.workers)


def start_sandbox(options: SandboxOptions, workers: int, packages: Sequence[str]) -> Sandbox:
    """Start a sandbox whose code may import these packages and those that the user allows."""
    allowed = [*dict.fromkeys([*packages, *options.packages])]
    return Sandbox(
        options,
        workers,
        require=options.require,
        packages=package_folders(allowed),
        preload=allowed,
    )


def judge(config: Config, processes: int = 1) -> Judge:
    """Return the judge of responses. Its sandboxes start when it first runs code in them.

    processes: how many of this machine have one each, and so share the workers.
    """
    return Judge(sandbox(config, max(1, config.sandbox.workers // processes)))
