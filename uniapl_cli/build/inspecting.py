"""A config to data inspect."""

from __future__ import annotations

from typing import Any

from uniapl_cli.build import data, models
from uniapl_cli.build.locations import model_location
from uniapl_cli.chat import load_tokenizer
from uniapl_cli.config import schema
from uniapl_cli.config.load import require
from uniapl_cli.pipelines.inspect import inspect as count
from uniapl_cli.pipelines.inspect import render


def inspect(config: schema.Config, name: str) -> tuple[dict[str, Any], Any]:
    """Return what is in a data set, and its first example as text with the loss coloured."""
    require(config, ["model.path"])
    chat = models.chat(
        config, load_tokenizer(model_location(config.model.path), config.model.revision)
    )
    examples = data.examples(config, name)
    found = count(
        examples,
        chat,
        max_prompt=config.data.max_prompt_tokens,
        max_response=config.data.max_response_tokens,
    )
    return found, render(examples[0], chat)
