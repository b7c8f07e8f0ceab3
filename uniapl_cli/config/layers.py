"""Merges documents, later ones over earlier ones, and remembers where each key was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import (
    InterpolationResolutionError,
    InterpolationToMissingValueError,
    OmegaConfBaseException,
)
from yaml.nodes import MappingNode, Node, SequenceNode

from uniapl_cli.config.document import Document, scalar
from uniapl_cli.config.interpolation import from_environment, key_of, nulls
from uniapl_cli.config.shape import Shape, all_children, all_sections, child
from uniapl_cli.errors import ConfigError
from uniapl_cli.options import MISSING, Options, is_marked
from uniapl_cli.registry import Choice

Path = tuple[str | int, ...]


@dataclass
class Layers:
    """Merged plain values; where each key was written last, in that order, and as what text.

    removed: keys that a layer set and a later one made null. unset: keys whose interpolation needs
    another key, which is missing. filled: keys that an interpolation filled in.
    environment: those that an environment variable did, and the text with the interpolation.
    """

    schema: type[Options]
    tree: dict[str, Any] = field(default_factory=dict)
    where: dict[Path, str] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    removed: set[Path] = field(default_factory=set)
    unset: dict[Path, str] = field(default_factory=dict)
    filled: set[Path] = field(default_factory=set)
    environment: dict[Path, str] = field(default_factory=dict)

    def lay(self, document: Document) -> None:
        """Put a document on top: sections and maps merge, anything else replaces."""
        if not document.lines and holds_secret((self.schema,), document.root):
            # An override is its own place, which every message about it begins with.
            document = replace(document, name=f"{document.name.partition('=')[0]}=...'")
        value = self._plain(document.root, document, ())
        self.tree = self._merged(self.tree, value, (self.schema,), ())

    def _plain(self, node: Node, document: Document, path: Path) -> Any:
        if isinstance(node, MappingNode):
            for name, _ in node.value:
                self.where.pop((*path, name.value), None)  # in the order of writing
                self.where[(*path, name.value)] = document.where(name)
            return {n.value: self._plain(v, document, (*path, n.value)) for n, v in node.value}
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.where[(*path, index)] = document.where(item)
            return [self._plain(v, document, (*path, n)) for n, v in enumerate(node.value)]
        self.texts[path] = node.value
        try:
            return scalar(node)
        except ValueError as error:
            key = dotted(path)
            raise ConfigError(
                f"'{key}' is {node.value}, a malformed number ({error})",
                "For text, put it in quotes",
                where=self.where[path],
                key=key,
                got=node.value,
            ) from None

    def _merged(self, below: Any, above: Any, admitted: Shape, path: Path) -> Any:
        if above is None and below is not None:
            self.removed.add(path)
        if not isinstance(above, dict):
            if isinstance(below, dict):
                self._forget(path)
            return above
        if not isinstance(below, dict):
            # A bare name or number stands for a mapping: `nll` is {kind: nll}.
            choice = next((option for option in admitted if isinstance(option, Choice)), None)
            spelt = choice.spelt(below) if choice and below is not None else {}
            below = spelt if isinstance(spelt, dict) else {}
        merged = dict(below)
        for name, value in above.items():
            inner = child(admitted, name, {**below, **above})
            merged[name] = self._merged(below.get(name), value, inner, (*path, name))
        return merged

    def _forget(self, path: Path) -> None:
        """Forget where the keys of a replaced mapping were written."""
        inside = [p for p in self.where if p[: len(path)] == path and len(p) > len(path)]
        for key in inside:
            if isinstance(key[len(path)], str):  # not the items of the list that replaces it
                del self.where[key]

    def fill_in(self) -> dict[str, Any]:
        """Return the values with every interpolation filled in, without what is missing.

        One that leads to a missing value is missing itself: all verbs share one file, and a section
        may well refer to what this verb has no need of. Raises ConfigError.
        """
        self.environment = from_environment(self.tree)
        merged = self._config()
        self._unset_nulls(merged)
        while True:
            try:
                OmegaConf.to_container(merged, resolve=True)
                break
            except InterpolationToMissingValueError as error:
                path = parsed(error.full_key or "")
                if not path or path in self.unset:
                    raise self._broken(error) from error
                needed = _reason(error).rpartition(" ")[2]
                self.unset[path] = self.unset.get(parsed(needed), needed)
                OmegaConf.update(merged, str(error.full_key), MISSING)
            except OmegaConfBaseException as error:
                raise self._broken(error) from error
            except RecursionError as error:
                raise ConfigError("interpolations refer to each other in a circle") from error
        raw = OmegaConf.to_container(merged, resolve=False)
        full = OmegaConf.to_container(merged, resolve=True)
        self._note_filled(raw, full, ())
        return without_missing(full)

    def _unset_nulls(self, merged: Any) -> None:
        """Make texts missing that refer to a key that is null: a path of `None` is never meant."""
        for path, interpolation in list(nulls(merged, self.tree)):
            key = dotted(path)
            needed = key_of(interpolation)
            if needed is None:
                raise ConfigError(
                    f"'{key}' cannot be resolved: {interpolation} in it is null",
                    where=self.origin(path),
                    key=key,
                    got=interpolation,
                )
            self.unset[path] = needed
            OmegaConf.update(merged, key, MISSING)

    def _config(self) -> Any:
        try:
            return OmegaConf.create(self.tree)
        except OmegaConfBaseException as error:
            raise self._broken(error) from error

    def _note_filled(self, raw: Any, full: Any, path: Path) -> None:
        if isinstance(raw, str) and "${" in raw:
            self.filled.add(path)
        elif isinstance(raw, (dict, list)):
            for name, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
                self._note_filled(value, full[name], (*path, name))

    def _broken(self, error: OmegaConfBaseException) -> ConfigError:
        path = parsed(error.full_key or "")
        # A resolver that was found and failed (an absent environment variable) was meant as one.
        meant = type(error) is InterpolationResolutionError
        return ConfigError(
            f"'{dotted(path)}' cannot be resolved: {_reason(error)}",
            "" if meant else "For the text itself, write \\${",
            where=self.origin(path),
            key=dotted(path),
            got=self.texts.get(path),
        )

    def was_filled(self, path: Path) -> bool:
        """Whether an interpolation gave a value, or a section or list that it is in."""
        return any(path[:length] in self.filled for length in range(1, len(path) + 1))

    def variable_of(self, path: Path) -> str | None:
        """Return the text by which an environment variable gives a value; None where none does."""
        above = (path[:length] for length in range(len(path), 0, -1))
        return next((self.environment[part] for part in above if part in self.environment), None)

    def origin(self, path: Path) -> str | None:
        """Return where a key, or the closest section or list above it, was written."""
        return origin(self.where, path)


def origin(where: dict[Path, str], path: Path) -> str | None:
    """Return where a key, or the closest section or list above it, was written."""
    above = (path[:length] for length in range(len(path), 0, -1))
    return next((where[part] for part in above if part in where), None)


def without_missing(tree: Any) -> Any:
    """Return plain values without those that are MISSING."""
    if isinstance(tree, dict):
        return {n: without_missing(value) for n, value in tree.items() if value != MISSING}
    return [without_missing(item) for item in tree] if isinstance(tree, list) else tree


def holds_secret(admitted: Shape, node: Node) -> bool:
    """Whether a key that is marked as secret is among those of a document."""
    if not isinstance(node, MappingNode):
        return False
    fields = [option.model_fields for option in all_sections(admitted)]
    return any(
        any(is_marked(f[name.value], "secret") for f in fields if name.value in f)
        or holds_secret(all_children(admitted, name.value), value)
        for name, value in node.value
    )


def lay_all(documents: Iterable[Document], schema: type[Options], below: dict[str, Any]) -> Layers:
    """Return the layers of documents on top of defaults, the weakest first."""
    layers = Layers(schema, below)
    for document in documents:
        layers.lay(document)
    return layers


def dotted(path: Path) -> str:
    """Write a path as a key: `eval.draws.greedy`, `tags[0]`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def parsed(key: str) -> Path:
    """Return the path of a key as OmegaConf writes it."""
    parts = key.replace("[", ".[").strip(".").split(".")
    return tuple(int(p[1:-1]) if p.startswith("[") else p for p in parts if p)


def _reason(error: OmegaConfBaseException) -> str:
    line = (str(error).splitlines() or [""])[0]
    return line.rpartition("while resolving interpolation: ")[2].strip('"')
