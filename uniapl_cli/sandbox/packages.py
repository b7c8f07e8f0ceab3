"""Where the packages lie that a user lets the sandbox's code import."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from uniapl_cli.errors import ConfigError


def package_folders(names: Iterable[str]) -> list[Path]:
    """Return the folders that the named packages lie in, without importing any.

    Raises ConfigError for one that is not installed.
    """
    return list(dict.fromkeys(_folder(name) for name in names))


def _folder(name: str) -> Path:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    locations = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    if not locations or not locations[0]:
        raise ConfigError(
            f"there is no installed package '{name}'",
            "Name packages as they are imported, and install them first",
            got=name,
        )
    return Path(locations[0]).parent
