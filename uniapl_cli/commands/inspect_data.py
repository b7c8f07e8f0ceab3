"""uniapl data inspect: what is in a data set."""

from __future__ import annotations

from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.streams import bad_rows, examples
from uniapl_cli.config.schema import Config
from uniapl_cli.pipelines.inspect import inspect as count
from uniapl_cli.pipelines.inspect import render


def inspect(config: Config, name: str) -> tuple[dict[str, Any], Any]:
    """Return a data set's statistics, and its first example with the loss tokens coloured."""
    config.require("model.path")
    location = components.locate(config, "model.path", config.model.path)
    chat = components.policy_chat(config, location)
    with bad_rows(config, dry_run=True) as bad:
        rows = examples(config, "data", name, bad)
    figures = count(
        rows,
        chat,
        max_prompt=config.data.max_prompt_tokens,
        max_response=config.data.max_response_tokens,
    )
    return figures, render(rows[0], chat)
