"""uniapl data inspect: what is in a data set."""

from __future__ import annotations

from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.streams import FILES, bad_rows, examples
from uniapl_cli.config.schema import Config
from uniapl_cli.data.encode import encode
from uniapl_cli.pipelines.inspect import inspect as count
from uniapl_cli.pipelines.inspect import render
from uniapl_cli.runs.console import bar


def inspect(config: Config, name: str) -> tuple[dict[str, Any], Any]:
    """Return a data set's statistics, and its first example with the loss tokens coloured."""
    config.require("model.path")
    config.require_filled(*SECTIONS["inspect"])
    location = components.locate(config, "model.path", config.model.path)
    chat = components.policy_chat(config, location)
    with bad_rows(config, dry_run=True) as bad:
        stream = _stream(config, name)
        rows = examples(config, "", name, bad, stream, learnt=stream != "prompts")
        with bar("encode", len(rows)) as progress:
            items = encode(chat, rows, ("response",), progress, bad)
    if not items:
        raise bad.none_good(name)
    figures = count(
        items,
        max_prompt=config.data.max_prompt_tokens,
        max_response=config.data.max_response_tokens,
    )
    return figures, render(items[0], chat)


def _stream(config: Config, name: str) -> str:
    """Return the stream whose file it is, or else the demonstrations', which may have turns."""
    files = {getattr(config.data, stream): stream for stream in FILES}
    return files.get(name, "demonstrations")
