"""Reads `${...}` in texts: the parts, what each is worth alone, and what the environment gives."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

Path = tuple[str | int, ...]

_KEY = re.compile(r"\$\{\s*([A-Za-z_][\w.\[\]-]*)\s*\}")
_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # OmegaConf 2.4 deprecates the only name that 2.3 has
    OmegaConf.register_new_resolver(
        "pick", lambda name, values, other: values.get(str(name), other), replace=True
    )

# A name that no key of an experiment has.
_ALONE = "(one interpolation alone)"


def interpolations(text: str) -> list[str]:
    """Return the outermost `${...}` of a text, without those that are escaped.

    >>> interpolations("a ${b} ${c.${d}} \\\\${e}")
    ['${b}', '${c.${d}}']
    """
    found, depth, start = [], 0, 0
    for match in re.finditer(r"(\\*)\$\{|[{}]", text):
        token = match[0][-1]
        if token == "{" and (depth or match[0].endswith("${") and len(match[1]) % 2 == 0):
            start = match.end() - 2 if depth == 0 else start
            depth += 1
        elif token == "}" and depth:
            depth -= 1
            if depth == 0:
                found.append(text[start : match.end()])
    return found


def key_of(interpolation: str) -> str | None:
    """Return the key that an interpolation names; None for a resolver's, or a relative one."""
    match = _KEY.fullmatch(interpolation)
    return match[1] if match else None


def texts(tree: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield (path, text) of the texts with an interpolation."""
    if isinstance(tree, (dict, list)):
        for name, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            yield from texts(value, (*path, name))
    elif isinstance(tree, str) and "${" in tree:
        yield path, tree


def nulls(merged: DictConfig, tree: Any) -> Iterator[tuple[Path, str]]:
    """Yield (path, interpolation) of those within a longer text whose value is null."""
    for path, text in texts(tree):
        inside = interpolations(text)
        if inside != [text.strip()]:
            for interpolation in inside:
                if _is_null(merged, path, interpolation):
                    yield path, interpolation
                    break


def _is_null(merged: DictConfig, path: Path, interpolation: str) -> bool:
    above: Any = merged
    for part in path[:-1]:
        above = above[part]
    above = above if isinstance(above, DictConfig) else merged
    above[_ALONE] = interpolation
    try:
        return above[_ALONE] is None
    except OmegaConfBaseException:
        return False  # what cannot be resolved is told with the whole text
    finally:
        del above[_ALONE]


def from_environment(tree: Any) -> dict[Path, str]:
    """Return the texts whose value, or a part of it, comes out of environment variables."""
    every = dict(texts(tree))
    if not any(map(_ENVIRONMENT.search, every.values())):
        return {}
    return {path: text for path, text in every.items() if _reads_environment(tree, text, set())}


def _reads_environment(tree: Any, text: str, seen: set[str]) -> bool:
    for interpolation in interpolations(text):
        key = key_of(interpolation)
        if key is None:
            return True  # a variable's, or one of which only its resolver knows what it reads
        if key not in seen:
            seen.add(key)
            below = texts(_at(tree, key))
            if any(_reads_environment(tree, other, seen) for _, other in below):
                return True
    return False


def _at(tree: Any, key: str) -> Any:
    for part in re.split(r"[.\[]", key.replace("]", "")):
        try:
            tree = tree[int(part) if isinstance(tree, list) else part]
        except (LookupError, TypeError, ValueError):
            return None
    return tree
