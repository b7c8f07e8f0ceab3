"""Turns pydantic's errors into one line: the key, its place, what is allowed, what to type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from uniapl_cli.config.fault import Fault
from uniapl_cli.config.keys import unknown_key
from uniapl_cli.config.layers import Layers, Path, dotted
from uniapl_cli.config.shape import section, spelled, texts, walk
from uniapl_cli.errors import ConfigError, UniAPLError, nearest, unknown
from uniapl_cli.options import is_marked
from uniapl_cli.registry import KIND, Choice, Named

BOUNDS = {
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "{ge} is the least",
    "less_than": "it must be below {lt}",
    "less_than_equal": "{le} is the most",
    "finite_number": "a finite number is needed",
    "string_too_short": "{min_length} characters are the least",
    "too_short": "{min_length} entries are the least",
    "string_pattern_mismatch": "it must look like {pattern}",
}
EMPTY = {"string_too_short": "a text", "too_short": "at least one entry"}


def explain(faults: Sequence[Fault], layers: Layers) -> ConfigError:
    """Return the first mistake, with all that is wrong at the same key."""
    fault = faults[0]
    if fault.type == "missing":  # perhaps for being misspelt
        beside = (f for f in faults if f.path[:-1] == fault.path[: len(f.path) - 1])
        absent, fault = fault, next((f for f in beside if f.type == "extra_forbidden"), fault)
        if fault is not absent and fault.path[-1] == absent.path[-1]:  # or in the wrong section
            error = ConfigError(f"unknown key '{fault.key}'", key=fault.key, suggestion=absent.key)
            return error.at(layers.origin(fault.path))
    same = [other for other in faults if other.path == fault.path]
    error = _named(fault, layers) or _wrong(fault, same)
    if fault.variable is not None:  # it may be a secret
        for text in (fault.value, fault.kind):
            error.problem = error.problem.replace(f"'{text}'", f"'{fault.variable}'")
        error.got, error.suggestion = fault.variable, None
    error.key = error.key or fault.key
    return error.at(layers.origin(fault.path))


def _named(fault: Fault, layers: Layers) -> ConfigError | None:
    """Return the error of an unknown, missing or wrongly removed name; None for other mistakes."""
    if fault.value is None and fault.in_map and fault.type not in ("missing", "extra_forbidden"):
        return _absent_entry(fault)
    if fault.type == "extra_forbidden":
        return _unknown_key(fault, layers)
    if fault.type == "missing":
        options = next(filter(None, (section(o, fault.parent) for o in fault.above)), None)
        of = f", which {_of(fault)} needs," if _of(fault) else ""
        listed = [n for n in options.model_fields if n != KIND] if options else []
        return ConfigError(f"'{fault.key}'{of} is not set", f"Type {fault.key}=...", allowed=listed)
    choice = next((option for option in fault.admitted if isinstance(option, Choice)), None)
    if choice and fault.type == "union_tag_invalid":
        error = unknown(choice.registry.kind, fault.kind, choice.registry, ConfigError)
        if choice.number:
            error.advice = f"Give a number, or one of: {', '.join(choice.registry)}"
        return error
    if choice and fault.type == "union_tag_not_found":
        return _no_kind(fault, choice)
    return None


def _of(fault: Fault) -> str:
    """Name the kind whose options a key is among: `objective 'surrogate'`."""
    for option in fault.above:
        if isinstance(option, Choice) and isinstance(named := option.spelt(fault.parent), dict):
            return f"{option.registry.kind} '{named.get(KIND)}'"
    return ""


def _absent_entry(fault: Fault) -> ConfigError:
    there = [name for name, item in fault.parent.items() if item is not None]
    inside = dotted(fault.path[:-1])
    guess = nearest(str(fault.path[-1]), there)
    return ConfigError(
        f"null removes '{fault.key}', but '{inside}' has no such entry",
        f"It has: {', '.join(there) or '(none)'}",
        allowed=there,
        suggestion=f"{inside}.{guess}" if guess else None,
    )


def _unknown_key(fault: Fault, layers: Layers) -> ConfigError:
    path, value = fault.path, fault.value
    depth = len(path) - 1
    if fault.of_choice:
        return _alien_key(fault, layers)
    # Of `optm.lr=1` the whole key is known, so `optim.lr` can be suggested.
    while isinstance(value, dict) and len(value) == 1:
        (name, value), *_ = value.items()
        path = (*path, name)
    options = next(filter(None, (section(o, fault.parent) for o in fault.above)), layers.schema)
    if options and (told := options.instead.get(str(fault.path[-1]))):
        problem = f"unknown key '{fault.key}': {told[1]}"
        return ConfigError(problem, key=fault.key, got=fault.value, suggestion=told[0])
    below = len(fault.path)
    named = [dotted(written) for written in layers.where if written[:below] != fault.path]
    named += [dotted((*fault.path[:-1], *inside)) for inside, *_ in walk(options)]
    return unknown_key(
        layers.schema, tuple(map(str, path)), depth, list(options.model_fields), named
    )


def _alien_key(fault: Fault, layers: Layers) -> ConfigError:
    """Return the error that the chosen kind does not take a key, naming the kinds that do.

    A key of a file below the one that chose the kind has to be taken out, as maps merge.
    """
    choice = next(option for option in fault.above if isinstance(option, Choice))
    options, name = section(choice, fault.parent), str(fault.path[-1])
    siblings = [n for n in options.model_fields if n != KIND] if options else []
    guess = nearest(name, siblings, 0.6)
    others = [
        kind for kind in choice.registry if name in choice.registry[kind].options.model_fields
    ]
    does = f"; {' and '.join(map(repr, others))} would" if others else ""
    lower = _is_lower(layers, fault.path, (*fault.path[:-1], KIND))
    taken_out = f". Type {fault.key}=null to leave it out" if lower else ""
    return ConfigError(
        f"{_of(fault)} takes no '{name}'{does}",
        f"It takes: {', '.join([KIND, *siblings])}{taken_out}",
        allowed=siblings,
        suggestion=f"{dotted(fault.path[:-1])}.{guess}" if guess else None,
    )


def _is_lower(layers: Layers, path: Path, other: Path) -> bool:
    """Whether a key was written before another one, in another file."""
    written = list(layers.where)
    if path not in written or other not in written:
        return False
    file, others = (re.sub(r":\d+$", "", layers.where[p]) for p in (path, other))
    return written.index(path) < written.index(other) and file != others


def _no_kind(fault: Fault, choice: Choice) -> ConfigError:
    names = list(choice.registry)
    if fault.in_map and any(isinstance(option, Named) for option in fault.above):
        if (name := str(fault.path[-1])) not in names:
            return unknown(choice.registry.kind, name, names, ConfigError)
        problem = f"'{fault.key}' is {shown(fault.value)}, expected a map of its options"
        return ConfigError(problem, f"{fault.key}={{}} takes their defaults", got=fault.value)
    number = "a number, " if choice.number else ""
    wanted = f"{number}a name, or {{kind: {' | '.join(names)}, ...}}, is needed"
    if isinstance(fault.value, dict):
        return ConfigError(f"'{fault.key}' has no kind: {wanted}", allowed=names)
    return ConfigError(
        f"'{fault.key}' is {shown(fault.value)}: {wanted}", got=fault.value, allowed=names
    )


def _wrong(fault: Fault, same: Sequence[Fault]) -> ConfigError:
    """Return the error of a wrong type, a bound or a validator."""
    secret = _is_secret(fault) or fault.variable is not None
    got = None if secret else fault.value
    subject = f"'{fault.key}'" if secret else f"'{fault.key}' is {shown(got)}"
    if fault.type == "value_error":
        return _refused(fault, subject, got)
    if fault.type in EMPTY and not fault.value:
        return ConfigError(f"'{fault.key}' is empty: {EMPTY[fault.type]} is needed", got=got)
    if fault.type in BOUNDS:
        bound = {n: _short(v) for n, v in fault.error.get("ctx", {}).items()}
        return ConfigError(f"{subject}: {BOUNDS[fault.type].format(**bound)}", got=got)
    listed = [text for other in same for text in texts(other.admitted)]
    close = difflib.get_close_matches(str(got), listed, 1)
    wanted = spelled(fault.admitted)
    one = wanted.startswith("a list of ") and isinstance(fault.value, (str, int, float))
    return ConfigError(
        f"{subject}, expected {wanted}",
        "Write [...] around it" if one else "",
        got=got,
        allowed=list(dict.fromkeys(listed)),
        suggestion=close[0] if close else None,
    )


def _refused(fault: Fault, subject: str, got: Any) -> ConfigError:
    cause = fault.error["ctx"]["error"]
    inner = cause.args[0] if cause.args else ""
    if isinstance(inner, UniAPLError):
        return ConfigError(
            inner.problem,
            inner.advice,
            got=inner.got,
            allowed=inner.allowed,
            suggestion=inner.suggestion,
        )
    if isinstance(fault.value, dict) or got is None:
        return ConfigError(str(cause))
    return ConfigError(f"{subject}: {cause}", got=got)


def _is_secret(fault: Fault) -> bool:
    for option in fault.above:
        options = section(option, fault.parent)
        field = options.model_fields.get(str(fault.path[-1])) if options else None
        if field is not None:
            return is_marked(field, "secret")
    return False


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown(value: object) -> str:
    """Show a value in one line and with its type: `'fast' (str)`, `null`, `a list of 2`."""
    if value is None or isinstance(value, (dict, list, tuple)):
        listed = f"a list of {len(value)}" if isinstance(value, (list, tuple)) else "a mapping"
        return "null" if value is None else listed
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    text = text if len(text) <= 80 else f"{text[:76]}...'"
    return f"{text} ({type(value).__name__})"
