"""An experiment: defaults < packaged layers < includes < the file < overrides, validated once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import PrivateAttr, ValidationError
from yaml.nodes import ScalarNode

from uniapl_cli.config import layers as layering
from uniapl_cli.config.document import Document, Loader
from uniapl_cli.config.explain import explain
from uniapl_cli.config.fault import Fault, faults_of
from uniapl_cli.config.include import read
from uniapl_cli.config.keys import describe
from uniapl_cli.config.layers import Layers, dotted, lay_all, parsed
from uniapl_cli.config.override import parse
from uniapl_cli.config.shape import defaults, texts
from uniapl_cli.errors import ConfigError, UniAPLError
from uniapl_cli.options import MISSING, Options

# Of the files that the program writes; a config with it is whole: nothing lies below it.
VERSION = 2
# pydantic's errors where text is wanted.
TEXTUAL = ("string_type", "literal_error")


class Root(Options):
    """A whole experiment, which knows where each of its keys was written."""

    _where: dict[layering.Path, str] = PrivateAttr(default_factory=dict)
    _unset: dict[layering.Path, str] = PrivateAttr(default_factory=dict)
    _environment: dict[layering.Path, str] = PrivateAttr(default_factory=dict)
    _files: tuple[Path, ...] = PrivateAttr(default=())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and dict(self) == dict(other)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was read from."""
        return self._files

    def error(self, key: str, problem: str, advice: str = "", **fields: Any) -> ConfigError:
        """Return an error about a key, with the place where it was written."""
        return ConfigError(problem, advice, key=key, where=self.origin(key), **fields)

    def origin(self, key: str) -> str | None:
        """Return where a key, or the closest section above it, was written."""
        return layering.origin(self._where, parsed(key))

    @property
    def environment(self) -> Mapping[layering.Path, str]:
        """The keys that environment variables give, and the texts in which they are named."""
        return self._environment

    def latest(self, *keys: str) -> str:
        """Return the key that was written last; of two that do not fit, errors name that one."""
        order = {path: number for number, path in enumerate(self._where)}
        return max(keys, key=lambda key: order.get(parsed(key), -1))

    @contextmanager
    def blaming(self, key: str) -> Iterator[None]:
        """Add the key and its place to errors of the block that have none."""
        try:
            yield
        except UniAPLError as error:
            raise error.at(None, key).at(self.origin(error.key or key)) from error.__cause__

    def require(self, *keys: str) -> None:
        """Raise ConfigError if a mandatory value is absent: among `keys` and below them."""
        absent = {
            path: dotted(path)
            for path in [*_missing(self, ()), *self._unset]
            if any(f"{dotted(path)}.".startswith(f"{key}.") for key in keys)
        }
        if absent:
            raise self._not_set(absent)

    def require_filled(self, *sections: str) -> None:
        """Raise ConfigError if an interpolation in these sections needs a key that is not set.

        Unlike `require`, it leaves alone what is merely not set.
        """
        absent = {path: dotted(path) for path in self._unset if path[0] in sections}
        if absent:
            raise self._not_set(absent)

    def _not_set(self, absent: Mapping[layering.Path, str]) -> ConfigError:
        helps = {key.name: f" ({key.help})" for key in describe(type(self)) if key.help}
        needed = {key: self._unset.get(path, key) for path, key in absent.items()}
        needs = [
            f"'{key}'{helps.get(key, '')}" + (f" needs '{other}', which" if other != key else "")
            for key, other in needed.items()
        ]
        typed = " ".join(f"{key}=..." for key in dict.fromkeys(needed.values()))
        verb = "is" if len(needed) == 1 else "are"
        first = next(iter(absent.values()))
        alone = len(absent) == 1
        error = ConfigError(
            f"{', '.join(needs)} {verb} not set",
            f"Type {typed}, or write {'it' if alone else 'them'} in the file",
            key=first,
            where=self.origin(first) if alone else None,
            allowed=list(dict.fromkeys(needed.values())),
        )
        if error.file is None:  # an override of something beside it is no place for it
            error.where = None
        return error


T = TypeVar("T", bound=Root)


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
    and scalars replace; null removes an entry of a map, which must be there. A mandatory value that
    nobody gave stays `???` until `require` asks for it. Raises ConfigError, one line.
    """
    own = read([path]) if path else []
    whole = [version_of(document) for document in own]
    below = [] if any(whole) else read(layers)
    documents = [*below, *own, *map(parse, overrides)]
    written = lay_all(documents, schema, {} if any(whole) else defaults(schema))
    for key, value in (fixed or {}).items():
        _fix(written, key, value)
    config = validated(written, written.fill_in(), schema)
    config._files = tuple(Path(document.name) for document in (*below, *own))
    return config


def version_of(document: Document) -> bool:
    """Remove `version` from a document; return whether it was there. Raises ConfigError."""
    pairs = document.root.value
    for key, value in [pair for pair in pairs if pair[0].value == "version"]:
        if not isinstance(value, ScalarNode) or value.value != str(VERSION):
            got = getattr(value, "value", None)
            raise ConfigError(
                f"this config was written by another version of uniapl (its version is {got}, this "
                f"one reads {VERSION})",
                "Use that version of uniapl, or start anew from the experiment's own file",
                where=document.where(key),
                key="version",
                got=got,
            )
        pairs.remove((key, value))
        return True
    return False


def validated(written: Layers, tree: dict[str, Any], schema: type[T]) -> T:
    """Return the tree as the schema's model. Raises ConfigError at the first mistake."""
    try:
        config = schema.model_validate(tree)
    except ValidationError as error:
        faults = faults_of(error, written, tree)
        again = deepcopy(tree)
        if not any([_mended(fault, written, again) for fault in faults]):
            raise explain(faults, written) from None
        try:
            config = schema.model_validate(again)
        except ValidationError as error_again:
            raise explain(faults_of(error_again, written, again), written) from None
    config._where, config._unset = written.where, written.unset
    config._environment = written.environment
    return config


def _mended(fault: Fault, written: Layers, tree: Any) -> bool:
    """Replace a value by its other possible reading; return whether there is one.

    Where text is wanted, a scalar is the text as written: `1e-3`, `on`, `1.10`. A number from an
    interpolation, of an environment variable say, is text. Null takes back an entry of a map, or a
    key that the kind chosen since does not take.
    """
    *above, last = fault.path or ("",)
    for part in above:
        tree = tree[part]
    value = fault.value
    if value is None and fault.path in written.removed and fault.path[-1] in tree:
        if fault.in_map or fault.of_choice:
            del tree[last]
            return True
    elif isinstance(value, str) and written.was_filled(fault.path):
        tree[last] = _reread(value)
        return tree[last] != value
    elif fault.type in TEXTUAL and isinstance(value, (bool, int, float)):
        filled = written.was_filled(fault.path)
        text = str(value).lower() if filled else written.texts.get(fault.path, value)
        if fault.type == "string_type" or text in texts(fault.admitted):
            tree[last] = text
        return tree[last] is not value
    return False


def _reread(text: str) -> Any:
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError):
        return text


def _fix(written: Layers, key: str, value: object) -> None:
    path = parsed(key)
    tree: Any = written.tree
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    if (got := tree.get(path[-1])) not in (None, value):
        raise ConfigError(
            f"'{key}' is {got!r}, but this command makes it {value!r}",
            "Leave it out",
            where=written.origin(path),
            key=key,
            got=got,
        )
    tree[path[-1]] = value


def _missing(options: Any, path: layering.Path) -> Iterator[layering.Path]:
    """Yield the paths of the values that nobody gave."""
    if isinstance(options, Options):
        pairs: Iterable[tuple[Any, Any]] = (
            (n, getattr(options, n)) for n in type(options).model_fields
        )
    elif isinstance(options, (dict, list)):
        pairs = options.items() if isinstance(options, dict) else enumerate(options)
    else:
        if isinstance(options, str) and options == MISSING:
            yield path
        return
    for name, value in pairs:
        yield from _missing(value, (*path, name))
