"""A config to teacher-gen, filter-gt and eval."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from uniapl_cli.build import data, models, teachers
from uniapl_cli.build.checks import positive, sampling
from uniapl_cli.build.choices import located
from uniapl_cli.build.sandboxes import judge
from uniapl_cli.config import schema
from uniapl_cli.config.load import require
from uniapl_cli.errors import ConfigError
from uniapl_cli.files import can_write, replacing, write_rows
from uniapl_cli.pipelines.evaluate import BoundMetric, Draws, evaluate, plain
from uniapl_cli.pipelines.metrics import metrics
from uniapl_cli.pipelines.teach import teach, unique_ids
from uniapl_cli.runs.environment import environment


def teacher_gen(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask the teacher for responses to teach.prompts."""
    require(config, [*teachers.mandatory(config), "teach"])
    drawn = sampling(config.teach.sampling)
    positive(config, "teach.samples", "run.threads", "generation.batch_tokens")
    teachers.check(config, drawn)
    examples = data.examples(config, config.teach.prompts)
    unique_ids(examples)
    if dry_run:
        return {
            "prompts": len(examples),
            "responses": len(examples) * config.teach.samples,
            "out": config.teach.out,
        }
    return teach(
        examples,
        teachers.teacher(config),
        drawn,
        Path(config.teach.out),
        samples=config.teach.samples,
        seed=config.seed,
        model=teachers.name(config),
        made=teachers.made(config),
        max_failures=config.teach.max_failures,
    )


def evaluate_model(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Measure eval.model on eval.data; write eval.json and responses.jsonl to eval.out."""
    require(config, ["eval"])
    given = config.eval
    positive(config, "eval.limit", "run.threads", "generation.batch_tokens")
    positive(config, *(f"eval.draws.{name}.samples" for name, d in given.draws.items() if d))
    for name in given.metrics:
        located("eval.metrics", partial(metrics.__getitem__, name))
    draws = [
        Draws(name, draw.samples, sampling(draw.sampling))
        for name, draw in given.draws.items()
        if draw is not None
    ]
    if not given.metrics:
        raise ConfigError("eval.metrics is empty: name at least one, e.g. [ifeval]")
    can_write(Path(given.out))
    if not draws:
        raise ConfigError("eval.draws is empty: name at least one, e.g. eval.draws.greedy")
    examples = data.examples(config, given.data)[: given.limit]
    unique_ids(examples)
    if dry_run:
        return {"model": given.model, "prompts": len(examples), "draws": [d.name for d in draws]}
    policy = models.policy(schema.Model(path=given.model), config.run)
    chat = models.chat(config, policy.tokenizer)
    generator = models.generator(config, policy.model, chat)
    bound = bind_metrics(config, chat)
    result: dict[str, Any] = {
        "name": given.name or given.model,
        "model": given.model,
        "data": given.data,
        "draws": {},
    }
    rows = []
    judging = judge(config)
    for draw in draws:
        estimates, responses = evaluate(
            examples, generator, chat, draw, bound, judging, seed=config.seed
        )
        result["draws"][draw.name] = plain(estimates)
        rows += responses
    out = Path(given.out)
    write_rows(out / "responses.jsonl", rows)
    with replacing(out / "eval.json") as file:
        file.write(json.dumps({**result, "environment": environment(seed=config.seed)}, indent=1))
    return {**result, "out": str(out)}


def bind_metrics(config: schema.Config, chat: Any) -> list[BoundMetric]:
    """Return the metrics that the config names, given what each asks for."""
    discriminator = cache(lambda: models.discriminator(config))
    bound = []
    for name in config.eval.metrics:
        entry = metrics[name]
        wanted: dict[str, Callable[[], Any]] = {
            "chat": lambda: chat,
            "discriminator": discriminator,
        }
        supplied = {key: make() for key, make in wanted.items() if key in entry.parameters}
        bound.append(entry.bind({}, **supplied))
    return bound
