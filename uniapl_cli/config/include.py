"""Files and what they include, in the order of merging."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from uniapl_cli.config.document import Document, compose
from uniapl_cli.config.methods import part_file
from uniapl_cli.errors import ConfigError, nearest
from uniapl_cli.tiny.assets import resolve_experiment

INCLUDE = "include"
# A name that is neither a path nor that of a file with an ending.
BARE = re.compile(r"[\w-]+")


def read(paths: Iterable[Path]) -> list[Document]:
    """Return the documents of some files and of all that they include, the weakest first.

    Includes come before the file that names them, left to right, depth first. A file that is
    reached twice counts once, where it is reached first: what was merged on top of it stays on top.
    `tiny:NAME` is an experiment that ships with the package, and a bare NAME a part of methods.
    """
    documents: dict[Path, Document] = {}
    for path in paths:
        _visit(Path(resolve_experiment(str(path))), (), documents)
    return list(documents.values())


def _visit(path: Path, chain: tuple[Path, ...], documents: dict[Path, Document]) -> None:
    identity = path.resolve()
    if identity in documents:
        return
    document, includes = _open(path)
    chain = (*chain, path)
    for name, node in includes:
        where = document.where(node)
        target = _target(name, path, where)
        names = [link.resolve() for link in chain]
        if target.resolve() in names:
            circle = [*chain[names.index(target.resolve()) :], target]
            raise ConfigError(f"include cycle: {' -> '.join(map(str, circle))}", where=where)
        if not target.is_file():
            raise _absent(target, path).at(where, INCLUDE)
        _visit(target, chain, documents)
    documents[identity] = document


def _target(name: str, includer: Path, where: str) -> Path:
    """Return the file that an include names: relative to the includer, or one that ships."""
    try:
        shipped = str(part_file(name)) if BARE.fullmatch(name) else resolve_experiment(name)
    except ConfigError as error:
        raise error.at(where, INCLUDE) from None
    return Path(os.path.normpath(includer.parent / shipped))


def _open(path: Path) -> tuple[Document, list[tuple[str, Node]]]:
    root = compose(_text(path), str(path))
    if not isinstance(root, MappingNode):
        got = {SequenceNode: "a list", ScalarNode: "a single value"}.get(type(root), "empty")
        raise ConfigError(
            f"the file is {got}, expected a mapping: lines of `key: value`",
            where=str(path),
            got=got,
        )
    document = Document(str(path), root)
    named = [value for key, value in root.value if key.value == INCLUDE]
    root.value = [(key, value) for key, value in root.value if key.value != INCLUDE]
    return document, [pair for node in named for pair in _names(node, document)]


def _names(node: Node, document: Document) -> Iterator[tuple[str, Node]]:
    for item in node.value if isinstance(node, SequenceNode) else [node]:
        if not isinstance(item, ScalarNode) or not item.tag.endswith(":str"):
            raise ConfigError(
                "'include' must be a path or a list of paths, relative to this file, or of names "
                "of parts, such as anchor",
                where=document.where(item),
                key=INCLUDE,
            )
        yield item.value, item


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _absent(path) from error
    except OSError as error:
        problem = f"the file cannot be read: {error.strerror}"
        raise ConfigError(problem, where=str(path)) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"the file is not UTF-8 text (byte {data[error.start]:#04x})", where=f"{path}:{line}"
        ) from error


def _absent(path: Path, includer: Path | None = None) -> ConfigError:
    if path.is_dir():
        return ConfigError(f"'{path}' is a folder, expected a YAML file", got=str(path))
    there = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    guess = nearest(path.name, [other.name for other in there if other != includer])
    return ConfigError(
        f"there is no config file '{path}'",
        got=str(path),
        suggestion=str(path.with_name(guess)) if guess else None,
    )
