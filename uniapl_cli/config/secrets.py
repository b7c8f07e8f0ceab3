"""Secrets in a config: what no file, message or record of a command line repeats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from uniapl_cli.config.layers import holds_secret
from uniapl_cli.config.load import Root
from uniapl_cli.config.override import parse
from uniapl_cli.errors import ConfigError
from uniapl_cli.options import Options, is_marked

# What stands for a secret that was written down as it is.
HIDDEN = "(hidden)"
_NAME = re.compile(
    r"(?i)(^|[_-])key$|apikey$|secret|passw|authori[sz]ation|credential|bearer|cookie"
    r"|^(token|auth|pwd)$|(access|api|auth|hf|id|refresh|session)[_-]?token$|access[_-]?key"
)


def shown_value(options: Options, name: str) -> Any:
    """Return a field's value; of a secret map, without the entries that are named as secrets."""
    value = getattr(options, name)
    return (
        without_secrets(value) if is_marked(type(options).model_fields[name], "secret") else value
    )


def without_secrets(value: Any) -> Any:
    """Return free fields with HIDDEN for those whose names say that they are secrets."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if _NAME.search(str(name)) else without_secrets(item)
            for name, item in value.items()
        }
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def secret_texts(config: Root, value: Any, path: tuple[Any, ...] = ()) -> Iterator[str]:
    """Yield the texts in secret maps that a variable gives, or that are named as secrets."""
    if isinstance(value, Options):
        for name, field in type(value).model_fields.items():
            inner = getattr(value, name)
            if is_marked(field, "secret") and isinstance(inner, dict):
                yield from _hidden_texts(config, inner, (*path, name))
            else:
                yield from secret_texts(config, inner, (*path, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from secret_texts(config, inner, (*path, name))


def _hidden_texts(config: Root, value: Any, path: tuple[Any, ...]) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _hidden_texts(config, inner, (*path, name))
    elif isinstance(value, str):
        above = (path[:length] in config.environment for length in range(1, len(path) + 1))
        if any(above) or any(_NAME.search(str(part)) for part in path):
            yield value


def safe_arguments(arguments: Sequence[str], schema: type[Options]) -> list[str]:
    """Return a command line without the values of overrides that hold secrets."""
    return [_safe(argument, schema) for argument in arguments]


def _safe(argument: str, schema: type[Options]) -> str:
    try:
        secret = holds_secret((schema,), parse(argument).root)
    except ConfigError:
        return argument  # no override
    return f"{argument.partition('=')[0]}=..." if secret else argument
