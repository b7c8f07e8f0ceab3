"""An experiment: defaults < packaged layers < includes < the file < overrides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from uniapl_cli.config.check import Layer, check
from uniapl_cli.config.include import read
from uniapl_cli.config.keys import describe
from uniapl_cli.config.merge import merge
from uniapl_cli.config.override import parse
from uniapl_cli.config.resolve import resolve
from uniapl_cli.config.shape import MISSING, Unset, defaults, plain
from uniapl_cli.errors import ConfigError

T = TypeVar("T")


@contextmanager
def _one_line() -> Iterator[None]:
    """Keep an error to one line, whatever a quoted key or an override brought into it."""
    try:
        yield
    except ConfigError as error:
        if len(lines := str(error).splitlines()) < 2:
            raise
        raise ConfigError(" ".join(lines)) from error


@_one_line()
def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    *,
    schema: type[T],
    layers: Sequence[Path] = (),
    fixed: Mapping[str, object] | None = None,
) -> T:
    """Return the experiment that a file and its `key=value` overrides describe.

    `layers` are packaged files below the user's. `fixed` holds dotted keys that the command itself
    decides: a layer may leave them out, give them as null or agree. Sections and maps merge, lists
    and scalars replace; null removes an entry of a `dict[str, X]`, which must be there. A mandatory
    value that nobody gave stays `???` until `require` asks for it. Raises ConfigError, one line.
    """
    tree: Any = defaults(schema)
    origins: dict[tuple[str, ...], str] = {}
    for layer in _layers([*layers, *_given(path)], overrides, schema):
        _refuse(layer, fixed or {})
        tree = merge(tree, layer, schema)
        origins |= layer.origins
    for key, value in (fixed or {}).items():
        tree = merge(tree, _nested(key, value), schema)
    return resolve(tree, origins, schema)


@_one_line()
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
