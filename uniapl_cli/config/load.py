"""An experiment: defaults < packaged layers < includes < the file < overrides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from uniapl_cli.config.check import Layer, check
from uniapl_cli.config.include import read
from uniapl_cli.config.keys import describe
from uniapl_cli.config.override import parse
from uniapl_cli.config.shape import MISSING, Unset, plain
from uniapl_cli.errors import ConfigError

T = TypeVar("T")


def require(config: object, keys: Iterable[str] | None = None) -> None:
    """Raise ConfigError if a mandatory value is absent: among `keys` and below, or anywhere."""
    keys = None if keys is None else list(keys)
    wanted = {
        key: needed
        for key, needed in _absent(plain(config), "")
        if keys is None or any(_below(key, above) for above in keys)
    }
    if wanted:
        raise ConfigError(_not_set(wanted, type(config)))


def _given(path: Path | None) -> list[Path]:
    return [] if path is None else [path]


def _layers(paths: Sequence[Path], overrides: Sequence[str], schema: type) -> list[Layer]:
    documents = [*read(paths), *map(parse, overrides)]
    return [check(document, schema) for document in documents]


def _dig(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _refuse(layer: Layer, fixed: Mapping[str, object]) -> None:
    for key, value in fixed.items():
        if (told := _dig(layer.tree, key)) not in (None, value):
            where = layer.origins[tuple(key.split("."))]
            raise ConfigError(
                f"{where}: '{key}' is {told!r}, but this command makes it {value!r}. Leave it out"
            )


def _nested(key: str, value: object) -> Layer:
    tree: Any = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return Layer("command", tree)


def _absent(tree: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield the keys without a value, each with the key that must be given for it."""
    if tree == MISSING:
        yield key, tree.needs if isinstance(tree, Unset) else key
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from _absent(value, f"{key}.{name}".lstrip("."))


def _below(key: str, above: str) -> bool:
    return key == above or key.startswith(f"{above}.")


def _not_set(wanted: Mapping[str, str], schema: type) -> str:
    """Say what is not set, what it means and what to type; `wanted` is from `_absent`."""
    helps = {key.name: f" ({key.help})" for key in describe(schema) if key.help}
    said = [
        f"'{key}'{helps.get(key, '')}" + (f" needs '{needed}', which" if needed != key else "")
        for key, needed in wanted.items()
    ]
    typed = " ".join(f"{needed}=..." for needed in dict.fromkeys(wanted.values()))
    verb = "is" if len(wanted) == 1 else "are"
    return f"{', '.join(said)} {verb} not set. Type {typed}, or write it in the file"
