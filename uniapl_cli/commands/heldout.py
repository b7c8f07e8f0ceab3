"""Held-out prompts of one's own, eval.data: read, answered, and measured by eval.metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TextIO

from uniapl_cli.commands import components
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.streams import bad_rows, encoded_prompts, examples
from uniapl_cli.config.schema import Config
from uniapl_cli.data.encode import Encoded
from uniapl_cli.evaluation.answers import Draw
from uniapl_cli.evaluation.evaluate import BoundMetric, evaluate
from uniapl_cli.evaluation.metrics import check_graded, metrics
from uniapl_cli.files import dump
from uniapl_cli.options import Options
from uniapl_cli.pipelines.teach import unique_ids
from uniapl_cli.types import Example
from uniapl_cli.verifiers import Judge


def read_heldout(
    config: Config, measured: Callable[[], Measured], *, dry_run: bool
) -> list[Example]:
    """Return the rows of eval.data that the model can be asked; none where it is not set.

    Raises ConfigError and DataError for all that can be known before the weights are loaded.
    """
    options = config.eval
    if options.data is None:
        return []
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = examples(config, "eval.data", options.data, bad)[: options.limit]
        check_rows(config, "eval.metrics", options.metrics, rows)
        model = measured()
        if model.server is not None:
            refuse_chat(config)
            return rows
        prompts = encoded_prompts(model.chat, rows, bad)
    for name, draws in options.draws.items():
        key = f"eval.draws.{name}.sampling.max_new_tokens"
        advice = f"Lower {key}, or take the draw out with eval.draws.{name}=null"
        new = draws.sampling.max_new_tokens
        check_room(config, prompts, model.context, key, new, f"draw '{name}'", advice)
    return [prompt.example for prompt in prompts]


def measure_heldout(
    config: Config, rows: Sequence[Example], measured: Measured, judge: Judge, file: TextIO
) -> dict[str, Any]:
    """Return the metrics by draw, and write every response."""
    supplies: dict[str, Callable[[], Any]] = {
        "chat": lambda: measured.chat,
        "discriminator": cache(lambda: components.discriminator(config, measured.device)),
    }
    bound = bind_metrics(config.eval.metrics, supplies)
    draws = {}
    for name, options in config.eval.draws.items():
        draw = Draw(name, options.samples, options.sampling, config.seed)
        figures, written = evaluate(rows, measured.teacher(cut=False), draw, bound, judge)
        draws[name] = {metric: figure.plain() for metric, figure in figures.items()}
        file.writelines(map(dump, written))
    file.flush()  # so that a full disk leaves the results as they were
    return draws


def check_rows(
    config: Config, key: str, graded: Sequence[Options], rows: Sequence[Example]
) -> None:
    """Refuse rows that the metrics which `key` names cannot grade. Raises DataError, ConfigError.

    The discriminator of one that takes it must be there.
    """
    unique_ids(rows)
    check_graded(rows, [metrics.entry(metric).name for metric in graded], key)
    if any(metrics.wants(metric, "discriminator") for metric in graded):
        components.find_discriminator(config, f"a metric of {key}")


def bind_metrics(
    graded: Sequence[Options], supplies: Mapping[str, Callable[[], Any]]
) -> list[BoundMetric]:
    """Return the metrics, each with the chat or discriminator that it takes."""
    return [
        metrics.bind(
            metric,
            **{name: make() for name, make in supplies.items() if metrics.wants(metric, name)},
        )
        for metric in graded
    ]


def refuse_chat(config: Config) -> None:
    """Refuse metrics that need the tokenizer of a model behind a server. Raises ConfigError."""
    for metric in config.eval.metrics:
        if metrics.wants(metric, "chat"):
            name = metrics.entry(metric).name
            raise config.error(
                "eval.metrics",
                f"metric '{name}' counts tokens, and a server's tokenizer is not at hand",
                f"Take '{name}' out of eval.metrics",
                got=name,
            )


def check_room(
    config: Config,
    prompts: Sequence[Encoded],
    context: int,
    key: str,
    new: int,
    what: str,
    advice: str,
) -> None:
    """Refuse `new` tokens a response, which `key` names, if they may not fit behind a prompt.

    Raises ConfigError that `what` has no room.
    """
    longest = max(prompts, key=lambda item: len(item.prompt))
    if len(longest.prompt) + new > context:
        raise config.error(
            key,
            f"{what} has no room: {len(longest.prompt)} prompt tokens "
            f"({longest.example.origin}) + {new} new ones exceed the model's context of {context}",
            advice,
            got=new,
        )
