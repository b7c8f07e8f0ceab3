"""What a schema's annotations admit. A schema is a tree of dataclasses; its maps have text keys."""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, reduce
from typing import Any, Literal

from uniapl_cli.registry import conforms, spell

MISSING = "???"  # OmegaConf's: a value that the user must give


class Unset(str):
    """MISSING where an interpolation was written, and the key, itself missing, that it needs."""

    needs: str

    def __new__(cls, needs: str) -> Unset:
        """Make the MISSING of a value that refers to the key `needs`."""
        unset = super().__new__(cls, MISSING)
        unset.needs = needs
        return unset


def is_open(value: object) -> bool:
    """Whether a value gets its type later: it is mandatory and absent, or an interpolation."""
    return isinstance(value, str) and (value == MISSING or "${" in value)


def is_section(annotation: Any) -> bool:
    """Whether an annotation is a dataclass."""
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def is_map(annotation: Any) -> bool:
    """Whether an annotation is `dict[str, X]`: a map whose entries the user names."""
    return typing.get_origin(annotation) in (dict, Mapping) or annotation in (dict, Mapping)


@cache
def fields(section: type) -> dict[str, Any]:
    """Return the names of a dataclass' fields and their annotations, resolved."""
    hints = typing.get_type_hints(section)
    return {field.name: hints[field.name] for field in dataclasses.fields(section)}


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of an annotation: one, or those of a union."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def entry(annotation: Any) -> Any:
    """Return what a map's entries are. Null is not among it: it removes an entry."""
    arguments = typing.get_args(annotation) or (str, Any)
    if arguments[0] is not str:
        raise TypeError(f"the keys of a map in a schema are str, not those of {annotation}")
    kept = tuple(option for option in members(arguments[1]) if option is not type(None))
    return reduce(operator.or_, kept)


def mapping_option(annotation: Any) -> Any:
    """Return the alternative that a mapping fits: a dataclass, a map or Any; None without one."""
    options = members(annotation)
    return next((o for o in options if is_section(o) or is_map(o) or o is Any), None)


def children(option: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the annotations of a mapping's values; a dataclass answers for its own fields only."""
    if is_section(option):
        return {name: annotation for name, annotation in fields(option).items() if name in names}
    return dict.fromkeys(names, entry(option) if is_map(option) else Any)


def item_types(annotation: Any, count: int) -> tuple[type, list[Any]] | None:
    """Return list or tuple and the annotations of `count` items; None where no such list fits."""
    for option in members(annotation):
        origin, arguments = typing.get_origin(option) or option, typing.get_args(option) or (Any,)
        if origin in (list, Sequence, Any):
            return list, [arguments[0]] * count
        if origin is tuple and (len(arguments) == 1 or arguments[-1] is Ellipsis):
            return tuple, [arguments[0]] * count
        if origin is tuple and len(arguments) == count:
            return tuple, list(arguments)
    return None


def leaf(candidates: Sequence[object], annotation: Any) -> tuple[object] | None:
    """Return the first candidate of the annotated type, boxed; an int becomes the float it is."""
    options = [o for o in members(annotation) if not is_section(o) and not is_map(o)]
    for value in candidates:
        fitting = [option for option in options if conforms(value, option)]
        if fitting == [float] and isinstance(value, int):
            with suppress(OverflowError):
                return (float(value),)
        elif fitting:
            return (value,)
    return None


def choices(annotation: Any) -> list[str]:
    """Return the texts that an annotation lists."""
    found = [a for o in members(annotation) if typing.get_origin(o) is Literal for a in o.__args__]
    return [value for value in found if isinstance(value, str)]


def spelled(annotation: Any) -> str:
    """Write a type as the user of a config would: `int or null`, `dict[str, Term]`."""
    options = members(annotation)
    if len(options) > 1:
        return " or ".join(map(spelled, options))
    if is_map(annotation):
        return f"dict[str, {spelled(entry(annotation))}]"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (list, tuple, Sequence):
        inner = ", ".join(spelled(a) for a in arguments if a is not Ellipsis)
        return f"list[{inner}]"
    names = {type(None): "null", Any: "anything"}
    return names.get(annotation) or spell(annotation)


def defaults(section: type) -> dict[str, Any]:
    """Return a dataclass' defaults as plain values; MISSING where the user must say."""
    return {field.name: _default(field, section) for field in dataclasses.fields(section)}


def _default(field: dataclasses.Field[Any], section: type) -> Any:
    if field.default is not dataclasses.MISSING:
        return plain(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return plain(field.default_factory())
    annotation = fields(section)[field.name]
    return defaults(annotation) if is_section(annotation) else MISSING


def plain(value: Any) -> Any:
    """Return dataclass instances as dicts and tuples as lists, all the way down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
