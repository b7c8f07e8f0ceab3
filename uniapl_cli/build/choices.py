"""A name in a config, with or without options, to a registered definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uniapl_cli.errors import ConfigError, UniAPLError
from uniapl_cli.registry import Entry, Registry


def located(where: str, action: Callable[[], Any]) -> Any:
    """Run `action`; put the config key in front of what it complains about."""
    try:
        return action()
    except UniAPLError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(where) else f"{where}: {text}") from None


def choice(where: str, given: Any, registry: Registry[Any]) -> tuple[Entry[Any], dict[str, Any]]:
    """Return the definition that `NAME` or `{kind: NAME, option: value}` names, and its options."""
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise ConfigError(
            f"{where} = {given!r}: a name is needed, or {{kind: {' | '.join(registry)}, ...}}"
        )
    options = {name: value for name, value in given.items() if name != "kind"}
    return located(where, lambda: registry[given["kind"]]), options
