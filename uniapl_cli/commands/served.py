"""The models of a config as vLLM servers: what each must be started with, and from which folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.chat.options import template_file
from uniapl_cli.commands import components
from uniapl_cli.commands.device import device_name
from uniapl_cli.config.schema import Config
from uniapl_cli.discriminators.polar.internlm2 import is_official, llama_config
from uniapl_cli.discriminators.polar.polar import read_settings
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.folders import check_folder_output, replacing_folder
from uniapl_cli.generation.served.servable import check_heads
from uniapl_cli.generation.served.transports import transports
from uniapl_cli.loading import context_of, load_tokenizer, read_model_config
from uniapl_cli.loading.files import check_objects
from uniapl_cli.loading.models import whole_model
from uniapl_cli.precision import resolve as dtype_of
from uniapl_cli.registry import KIND
from uniapl_cli.serving.folders import MARK, write_official
from uniapl_cli.serving.launch import Launch, kv_bytes
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model, refuse_classifier, save_folder, stop_at

log = logging.getLogger("uniapl")

# Tokens of a prompt that no key limits.
PROMPT = 8192
# Else a server fills in what a request leaves out from the model's generation_config.json.
PLAIN = {"--generation-config": "vllm"}
GENERATION = "generation_config.json"
# The kinds of discriminators that a server can be of.
SERVED = ("polar", "polar_server")


def policy(config: Config, folder: Path, dry_run: bool) -> Launch:
    """Return the server of the policy, whose weights may be replaced while it runs."""
    config.require("model.path", "sampling")
    location = components.locate(config, "model.path", config.model.path)
    chat, template = components.policy_chat(config, location), config.chat.template
    prompt = config.data.max_prompt_tokens if config.eval.server is None else PROMPT
    options = {
        **PLAIN,
        "--logprobs-mode": logprobs_mode(config.sampling.temperature),
        "--chat-template": None if template is None else str(template_file(template).absolute()),
        **transport_flags(config),
    }
    with config.blaming("model.path"):
        model_config = read_model_config(location, config.model.revision)
        refuse_classifier(location, model_config)
        launch = launched(config, config.model, location, model_config, prompt + longest(config))
    log.warning(
        "VLLM_SERVER_DEV_MODE lets whoever reaches the server replace its weights and call its "
        "methods: let nobody else reach it"
    )
    if launch.on_cpu and model_config.get_text_config().tie_word_embeddings:
        prepare(folder, location, partial(write_untied, config, location, chat.stop_id), dry_run)
        launch = replace(launch, model=str(folder.absolute()), revision=None, local=True)
    else:
        options |= ends(location, chat, folder, dry_run)
    return replace(
        launch,
        names=[getattr(config.generation, "model", None) or "policy"],
        options=options,
        variables={"VLLM_SERVER_DEV_MODE": "1"},
    )


def teacher(config: Config, folder: Path, dry_run: bool) -> Launch:
    """Return the server of the teacher, by its own chat template."""
    config.require("teacher.path", "teach.sampling")
    named, location = config.teacher, components.locate(config, "teacher.path", config.teacher.path)
    with config.blaming("teacher.path"):
        tokenizer = load_tokenizer(location, named.revision)
        components.check_fit(location, tokenizer, named.revision)
        chat = Chat(tokenizer, config.chat.thinking, config.chat.system, config.chat.date)
        model_config = read_model_config(location, named.revision)
        refuse_classifier(location, model_config)
        new = config.teach.sampling.max_new_tokens
        launch = launched(config, named, location, model_config, PROMPT + new)
    options = {**PLAIN, **ends(location, chat, folder, dry_run)}
    server = named.server
    own = [server.model] if server is not None and server.model is not None else []
    return replace(launch, names=[*own, *launch.names], options=options)


def discriminator(config: Config, folder: Path, dry_run: bool) -> Launch:
    """Return the server of a POLAR discriminator, which answers with its scores themselves."""
    location = components.find_discriminator(config, "a server of it")
    named = config.discriminator
    assert named is not None, "checked above"
    kind = getattr(named, KIND)
    if kind not in SERVED:
        raise ConfigError(
            f"a discriminator of kind {kind} is not served: it is computed in this process",
            "Leave discriminator.kind out to serve a POLAR discriminator",
            key="discriminator.kind",
            got=kind,
            allowed=SERVED,
        )
    with config.blaming("discriminator.path"):
        settings = read_settings(location, named.revision)
        official = is_official(settings)
        model_config = (
            llama_config(location, settings, "auto")
            if official
            else read_model_config(location, named.revision)
        )
        held = getattr(named, "max_length", PROMPT)
        launch = launched(config, named, location, model_config, held)
    if official:
        write = partial(write_official, path=location, settings=settings, revision=named.revision)
        prepare(folder, location, write, dry_run)
        launch = replace(launch, model=str(folder.absolute()), revision=None, local=True)
    options = {
        "--runner": "pooling",
        "--pooler-config": {"use_activation": False},
        # The folder of an official one has no tokenizer; without one, no other's server starts.
        "--skip-tokenizer-init": official,
    }
    own = getattr(named, "model", None) or "discriminator"
    return replace(launch, names=[own, *launch.names], options=options)


def launched(config: Config, named: Any, location: str, model_config: Any, context: int) -> Launch:
    """Return the server of a model as it is. named: the section with its path and revision.

    Raises ModelError for an adapter, and for heads that vLLM has no kernel for on a CPU.
    """
    if whole_model(location) != location:
        raise ModelError(
            f"'{location}' is an adapter, which is not served by itself",
            "Name a whole model, such as the folder 'final' of the run that made it",
            got=location,
        )
    device = device_name(config)
    on_cpu, dtype = not device.startswith("cuda"), dtype_of(config.precision, device)
    check_heads(model_config, "cpu" if on_cpu else device, advice="Serve it on a GPU")
    return Launch(
        model=location,
        names=[*dict.fromkeys([resolve(named.path), location])],
        dtype=str(dtype).removeprefix("torch."),
        context=min(context, context_of(model_config)),
        on_cpu=on_cpu,
        kv_bytes=kv_bytes(model_config, dtype.itemsize),
        local=Path(location).exists(),
        threads=config.run.threads,
        revision=named.revision,
    )


def longest(config: Config) -> int:
    """Return the new tokens of the longest response that the policy may be asked for."""
    samplings = [config.sampling, config.validation.sampling]
    if config.eval.server is not None:
        samplings += [draw.sampling for draw in config.eval.draws.values()]
    return max(sampling.max_new_tokens for sampling in samplings if sampling is not None)


def transport_flags(config: Config) -> Mapping[str, Any]:
    """Return the options that a server needs for weights to be brought to it."""
    sync = getattr(config.generation, "sync", None)
    return {} if sync is None else transports.entry(sync).traits.get("flags", {})


def logprobs_mode(temperature: float) -> str:
    """Return vLLM's name for log-probabilities at this temperature, of tokens drawn from all."""
    return "raw_logprobs" if temperature in (0, 1) else "processed_logprobs"


def ends(location: str, chat: Chat, folder: Path, dry_run: bool) -> Mapping[str, Any]:
    """Return the options by which a server ends responses where this program does.

    vLLM takes end tokens from a generation_config.json and from nothing else; one is written where
    the model's has not that of its chat template. Raises OutputError.
    """
    settings = check_objects(location, (GENERATION,)).get(GENERATION, {})
    listed = settings.get("eos_token_id")
    known = [
        token for token in (listed if isinstance(listed, list) else [listed]) if token is not None
    ]
    if chat.stop_id in {*known, chat.tokenizer.eos_token_id}:
        return {}
    prepare(folder, location, partial(write_ends, location, [chat.stop_id, *known]), dry_run)
    return {"--generation-config": str(folder.absolute())}


def write_ends(location: str, tokens: Sequence[int], folder: Path) -> None:
    """Write a folder with a generation_config.json of nothing but end tokens."""
    with replacing_folder(folder) as scratch:
        (scratch / GENERATION).write_text(json.dumps({"eos_token_id": list(tokens)}))
        (scratch / MARK).write_text(f"{location}\n", encoding="utf-8")


def prepare(folder: Path, location: str, write: Callable[[Path], None], dry_run: bool) -> None:
    """Have a folder written that a server starts from. Raises OutputError."""
    check_folder_output(folder, MARK, *([Path(location)] if Path(location).exists() else []))
    if not dry_run:
        write(folder)
        log.info("the server starts from '%s'", folder)


def write_untied(config: Config, location: str, stop: int, folder: Path) -> None:
    """Write the policy in its own dtype, its head apart from its embeddings, with its end token.

    On a CPU vLLM packs a head when it starts, and leaves a tied one as it was at a reload.
    """
    revision = config.model.revision
    dtype = read_model_config(location, revision).dtype or torch.float32
    model = load_model(location, "cpu", dtype=dtype, revision=revision)
    tokenizer = load_tokenizer(location, revision)
    stop_at(stop, model, tokenizer)
    save_folder(folder, model, tokenizer, texts={MARK: f"{location}\n"}, apart=True)
