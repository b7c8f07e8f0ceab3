"""One layer against the schema, before anything is merged: keys, then types, each with its line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from uniapl_cli.config.document import TAG, Document, scalar
from uniapl_cli.config.keys import unknown_key
from uniapl_cli.config.shape import (
    children,
    choices,
    fields,
    is_open,
    is_section,
    item_types,
    leaf,
    mapping_option,
    members,
    spelled,
)
from uniapl_cli.errors import ConfigError

Path = tuple[str, ...]


@dataclass
class Layer:
    """Plain values of one document, of the right types, and where each key was written."""

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)


def check(document: Document, schema: type) -> Layer:
    """Return the values of a document. Raises ConfigError for an unknown key or a wrong type.

    Where text is wanted, an unquoted scalar is the text as written: `1e-3`, `on`, `1.10`.
    """
    layer = Layer(document.name)
    layer.tree = _Reader(document, schema, layer.origins).mapping(document.root, schema, ())
    return layer


def wrong_type(key: str, shown: str, annotation: Any) -> str:
    """Say that a key's value, as `shown`, is not what the schema wants."""
    close = difflib.get_close_matches(shown, [f"'{c}' (str)" for c in choices(annotation)], 1)
    hint = f". Did you mean {close[0].removesuffix(' (str)')}?" if close else ""
    wanted = [
        f"a mapping with the keys {', '.join(fields(option))}"
        if is_section(option)
        else spelled(option)
        for option in members(annotation)
    ]
    return f"'{key}' is {shown}, expected {' or '.join(wanted)}{hint}"


def shown(value: object) -> str:
    """Show a value in one line and with its type: `'fast' (str)`, `null`, `a list`."""
    if value is None or isinstance(value, (dict, list, tuple)):
        return "null" if value is None else "a mapping" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    text = text if len(text) <= 80 else f"{text[:76]}...'"
    return f"{text} ({type(value).__name__})"


@dataclass
class _Reader:
    document: Document
    schema: type
    origins: dict[Path, str]

    def value(self, node: Node, annotation: Any, path: Path, where: str) -> Any:
        """Return what stands at a node, if it is of the annotated type."""
        if isinstance(node, MappingNode):
            option = mapping_option(annotation)
            if option is None:
                raise self.wrong(where, path, "a mapping", annotation)
            return self.mapping(node, option, path)
        if isinstance(node, SequenceNode):
            return self.sequence(node, annotation, path, where)
        return self.scalar(node, annotation, path, where)

    def mapping(self, node: MappingNode, option: Any, path: Path) -> dict[str, Any]:
        """Return a section or a map, if it has the keys of none but itself."""
        annotations = children(option, [key.value for key, _ in node.value])
        tree: dict[str, Any] = {}
        for key, value in node.value:
            below, where = (*path, key.value), self.document.where(key)
            if key.value not in annotations:
                raise self.unknown(where, below, value, list(fields(option)))
            self.origins[below] = where
            if not is_section(option) and _is_null(value):
                tree[key.value] = None
            else:
                tree[key.value] = self.value(value, annotations[key.value], below, where)
        return tree

    def sequence(self, node: SequenceNode, annotation: Any, path: Path, where: str) -> list[Any]:
        """Return a list, if its items are of the annotated types."""
        fitting = item_types(annotation, len(node.value))
        if fitting is None:
            raise self.wrong(where, path, f"a list (length {len(node.value)})", annotation)
        values = []
        for index, (item, inner) in enumerate(zip(node.value, fitting[1], strict=True)):
            below = (*path[:-1], f"{path[-1]}[{index}]")
            values.append(self.value(item, inner, below, self.document.where(item)))
        return values

    def scalar(self, node: ScalarNode, annotation: Any, path: Path, where: str) -> object:
        """Return a number, a text or null, if it is of the annotated type."""
        try:
            value = scalar(node)
        except ValueError as error:
            raise ConfigError(f"{where}: '{'.'.join(path)}': {error}") from error
        if is_open(value):
            return value
        texts = [] if value is None or isinstance(value, str) else [node.value]
        found = leaf([value, *texts], annotation)
        if found is None:
            raise self.wrong(where, path, shown(value), annotation)
        return found[0]

    def wrong(self, where: str, path: Path, got: str, annotation: Any) -> ConfigError:
        return ConfigError(f"{where}: {wrong_type('.'.join(path), got, annotation)}")

    def unknown(self, where: str, path: Path, value: Node, siblings: list[str]) -> ConfigError:
        depth = len(path) - 1
        # Of an override the whole key is known, so that `optm.lr=1` can be told of `optim.lr`.
        while not self.document.lines and isinstance(value, MappingNode) and len(value.value) == 1:
            path, value = (*path, value.value[0][0].value), value.value[0][1]
        return ConfigError(f"{where}: {unknown_key(self.schema, path, depth, siblings)}")


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == TAG + "null"
