"""The config's section `chat`, and the templates that come with the program."""

from __future__ import annotations

from datetime import date as calendar_date
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.options import FilePath, Options, key

TEMPLATES = Path(__file__).with_name("templates")


class ChatOptions(Options):
    """How messages become a prompt, through a chat template."""

    template: FilePath | None = key(
        None, "the policy's: qwen2.5, qwen3 or a .jinja file; null keeps its tokenizer's own"
    )
    thinking: bool = key(
        False, "let the model think: templates open a think block, and thoughts in data are learnt"
    )
    system: Annotated[str, Field(min_length=0)] | None = key(
        None, "system message put before prompts that have none"
    )
    date: str | None = key(
        None,
        "YYYY-MM-DD, today's date in templates that write it; null: the day on which the run began",
    )

    @field_validator("template")
    @classmethod
    def _can_be_read(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                read_template(template)
            except ConfigError as error:
                raise ValueError(error) from None
        return template

    @field_validator("date")
    @classmethod
    def _is_a_date(cls, date: str | None) -> str | None:
        if date is not None:
            try:
                calendar_date.fromisoformat(date)
            except ValueError:
                raise ValueError("a date such as 2026-07-01 is needed") from None
        return date


def template_file(name: str) -> Path:
    """Return the file of the chat template of that name, or the .jinja file at that path.

    Raises ConfigError.
    """
    known = {path.stem: path for path in TEMPLATES.glob("*.jinja")}
    path = known.get(name, Path(name))
    if path.suffix != ".jinja":
        error = unknown("template", name, known, ConfigError)
        error.advice += ", or the path of a .jinja file"
        raise error
    return path


def read_template(name: str) -> str:
    """Return the chat template of that name, or in the .jinja file at that path.

    Raises ConfigError.
    """
    path = template_file(name)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"cannot read '{name}': {reason}", got=name) from None
