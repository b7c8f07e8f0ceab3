"""uniapl eval: a config to the figures of a model on held-out prompts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.device import announce_arithmetic, arithmetic, use_device
from uniapl_cli.commands.inputs import data_input, model_input, template_input
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.streams import bad_rows, encoded_prompts, examples
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import safe_arguments
from uniapl_cli.data.encode import Encoded
from uniapl_cli.evaluation.evaluate import BoundMetric, SamplingRun, plain
from uniapl_cli.evaluation.evaluate import evaluate as estimate
from uniapl_cli.evaluation.metrics import check_graded, metrics
from uniapl_cli.evaluation.results import RESPONSES, write_evaluation
from uniapl_cli.files import dump, replacing
from uniapl_cli.loading import context_length
from uniapl_cli.pipelines.teach import unique_ids
from uniapl_cli.runs.environment import environment
from uniapl_cli.runs.signals import on_stop


def evaluate(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Measure eval.model on eval.data; write eval.json and responses.jsonl to eval.out."""
    config.require("eval")
    config.require_filled(*SECTIONS["eval"])
    options = config.eval
    check_outputs(config, "eval")
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = examples(config, "eval.data", options.data, bad)[: options.limit]
        unique_ids(rows)
        check_graded(rows, [metrics.entry(metric).name for metric in options.metrics])
        if any(metrics.wants(metric, "discriminator") for metric in options.metrics):
            components.find_discriminator(config, "a metric of eval.metrics")
        location = components.locate(config, "eval.model", options.model)
        measured = with_measured(config)
        chat = components.policy_chat(measured, location, "eval.model")
        prompts = encoded_prompts(chat, rows, bad)
    with config.blaming("eval.model"):
        context = context_length(location, measured.model.revision)
    check_room(config, prompts, context)
    if dry_run:
        return describe(config, prompts)
    inputs = {
        "eval.data": data_input(config, options.data),
        "eval.model": model_input(options.model, measured.model.revision),
        "chat.template": template_input(chat.tokenizer, config.chat.template),
    }
    device = use_device(config)
    model = components.model(measured, location, device, key="eval.model")
    generator = components.generator(config, model, chat, "eval.model")
    bound, judge = bind_metrics(config, chat, device), components.judge(config)
    result: dict[str, Any] = {
        "name": options.name or options.model,
        "model": options.model,
        "data": options.data,
        "draws": {},
    }
    out = Path(options.out)
    with on_stop(f"'{out}' is as it was: eval starts anew"), replacing(out / RESPONSES) as file:
        announce_arithmetic(config)
        for name, draws in options.draws.items():
            run = SamplingRun(name, draws.samples, draws.sampling)
            figures, written = estimate(prompts, generator, run, bound, judge, seed=config.seed)
            result["draws"][name] = plain(figures)
            file.writelines(map(dump, written))
        file.flush()  # so that a full disk leaves both files as they were
        provenance = environment(command=safe_arguments(sys.argv[1:], Config), seed=config.seed)
        write_evaluation(out, {**result, "inputs": inputs, "environment": provenance})
    return {**result, "out": str(out)}


def describe(config: Config, prompts: Sequence[Encoded]) -> dict[str, Any]:
    """Return what would be measured, for --dry-run."""
    return {
        "model": config.eval.model,
        "computed in": arithmetic(config),
        "prompts": len(prompts),
        "draws": list(config.eval.draws),
    }


def check_room(config: Config, prompts: Sequence[Encoded], context: int) -> None:
    """Refuse draws whose responses may not fit behind the longest prompt. Raises ConfigError."""
    longest = max(prompts, key=lambda item: len(item.prompt))
    for name, draws in config.eval.draws.items():
        new = draws.sampling.max_new_tokens
        if len(longest.prompt) + new > context:
            key = f"eval.draws.{name}.sampling.max_new_tokens"
            raise config.error(
                key,
                f"draw '{name}' has no room: {len(longest.prompt)} prompt tokens "
                f"({longest.example.origin}) + {new} new ones exceed the model's context of "
                f"{context}",
                f"Lower {key}, or take the draw out with eval.draws.{name}=null",
                got=new,
            )


def with_measured(config: Config) -> Config:
    """Return the config with eval.model as its model, to load by model.attention.

    model.revision is one of model.path's, and no other model's.
    """
    path, model = config.eval.model, config.model
    revision = config.eval.revision or (model.revision if path == model.path else None)
    values = {"path": path, "revision": revision, "adapter": None}
    return config.model_copy(update={"model": model.model_copy(update=values)})


def bind_metrics(config: Config, chat: Any, device: str) -> list[BoundMetric]:
    """Return the config's metrics, each with the chat or discriminator that it takes."""
    supplies: dict[str, Callable[[], Any]] = {
        "chat": lambda: chat,
        "discriminator": cache(lambda: components.discriminator(config, device)),
    }
    return [
        metrics.bind(
            metric,
            **{name: make() for name, make in supplies.items() if metrics.wants(metric, name)},
        )
        for metric in config.eval.metrics
    ]
