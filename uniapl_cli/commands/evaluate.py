"""uniapl eval: a config to the figures of a model on held-out prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.streams import bad_rows, examples
from uniapl_cli.config.schema import Config, Policy
from uniapl_cli.files import can_write, replacing, write_rows
from uniapl_cli.pipelines.evaluate import VERSION, BoundMetric, Draws, evaluate, plain
from uniapl_cli.pipelines.metrics import metrics
from uniapl_cli.pipelines.teach import unique_ids
from uniapl_cli.runs.environment import environment


def evaluate_model(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Measure eval.model on eval.data; write eval.json and responses.jsonl to eval.out."""
    config.require("eval")
    options = config.eval
    with config.blaming("eval.out"):
        can_write(Path(options.out))
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = examples(config, "eval.data", options.data, bad)[: options.limit]
    unique_ids(rows)
    if any(metrics.wants(metric, "discriminator") for metric in options.metrics):
        components.find_discriminator(config, "a metric of eval.metrics")
    location = components.locate(config, "eval.model", options.model)
    # What is measured is not what is trained: no revision, dtype or adapter of the policy's.
    measured = config.model_copy(update={"model": Policy(path=options.model)})
    chat = components.policy_chat(measured, location, "eval.model")
    if dry_run:
        return {"model": options.model, "prompts": len(rows), "draws": list(options.draws)}
    device = components.use_device(config)
    model = components.model(measured, location, device, key="eval.model")
    generator = components.generator(config, model, chat)
    bound, judge = bind_metrics(config, chat, device), components.judge(config)
    result: dict[str, Any] = {
        "version": VERSION,
        "name": options.name or options.model,
        "model": options.model,
        "data": options.data,
        "draws": {},
    }
    written = []
    for name, draw in options.draws.items():
        draws = Draws(name, draw.samples, draw.sampling)
        estimates, responses = evaluate(
            rows, generator, chat, draws, bound, judge, seed=config.seed
        )
        result["draws"][name] = plain(estimates)
        written += responses
    out = Path(options.out)
    write_rows(out / "responses.jsonl", written)
    with replacing(out / "eval.json") as file:
        file.write(json.dumps({**result, "environment": environment(seed=config.seed)}, indent=1))
    return {**result, "out": str(out)}


def bind_metrics(config: Config, chat: Any, device: str) -> list[BoundMetric]:
    """Return the metrics that the config names, given what each asks for."""
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
