"""Every key of a schema: for the listing, for the documentation, for "Did you mean"."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from uniapl_cli.config.shape import defaults, entry, fields, is_map, is_section, members, spelled

SECTION = "section"


class Key(NamedTuple):
    """A key that a file may hold. `default` is `???` where the user must give a value.

    A section has SECTION for a type and no default. `terms.<name>.weight` is that of any term.
    """

    name: str
    type: str
    default: Any
    help: str


def describe(schema: type) -> Iterator[Key]:
    """Yield the keys in the order of the schema, a section or map before what is in it."""
    return _describe(schema, defaults(schema), "")


def _describe(section: type, default: Any, prefix: str) -> Iterator[Key]:
    helps = {f.name: str(f.metadata.get("help", "")) for f in dataclasses.fields(section)}
    for name, annotation in fields(section).items():
        key, value = prefix + name, default.get(name)
        if is_section(annotation):
            yield Key(key, SECTION, None, helps[name])
            yield from _describe(annotation, value, f"{key}.")
            continue
        yield Key(key, spelled(annotation), value, helps[name])
        for option in members(annotation):
            yield from _inside(option, key)


def _inside(option: Any, key: str) -> Iterator[Key]:
    """Yield the keys below an optional section or a map of sections."""
    if is_section(option):
        yield from _describe(option, defaults(option), f"{key}.")
    elif is_map(option):
        for inner in members(entry(option)):
            yield from _inside(inner, f"{key}.<name>")


def unknown_key(schema: type, path: Sequence[str], depth: int, siblings: Sequence[str]) -> str:
    """Say that `path` is no key; its first `depth` parts are a section, which has `siblings`."""
    section = ".".join(path[:depth])
    guesses = [f"'{guess}'" for guess in _guesses(schema, path, depth, siblings)]
    hint = f" Did you mean {' or '.join(guesses)}?" if guesses else ""
    place = f"in '{section}'" if section else "at the top"
    return f"unknown key '{'.'.join(path)}'.{hint} Known {place}: {', '.join(siblings)}"


def _guesses(schema: type, path: Sequence[str], depth: int, siblings: Sequence[str]) -> list[str]:
    """A close neighbour first, then the keys of that very name elsewhere, then what is alike."""
    known = [key.name for key in describe(schema)]
    above, name, below = path[:depth], path[depth], path[depth + 1 :]
    near = difflib.get_close_matches(name, siblings, n=1, cutoff=0.75)
    neighbours = [".".join([*above, sibling, *below]) for sibling in near]
    found = [key for key in neighbours if not below or key in known]
    elsewhere = [key for key in known if key.rpartition(".")[2] == path[-1]]
    found += sorted(elsewhere, key=lambda key: key.count("."))[:2]
    if not found:
        loose = difflib.get_close_matches(name, siblings, n=1, cutoff=0.6)
        alike = difflib.get_close_matches(".".join(path), known, n=1, cutoff=0.7)
        found = [".".join([*above, *loose])] if loose and not below else alike
    return list(dict.fromkeys(found))
