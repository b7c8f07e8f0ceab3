"""What a schema admits at each key, for error messages and listings."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic.fields import FieldInfo

from uniapl_cli.options import MISSING, Options
from uniapl_cli.registry import KIND, Choice, Entry, Named

# One or more of: an Options class, a Choice, a Named, a container of types, a plain type.
Shape = tuple[Any, ...]


def shape(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    """Return the alternatives that an annotation admits."""
    marks = tuple(mark for mark in metadata if isinstance(mark, (Choice, Named)))
    if marks:
        return marks
    if typing.get_origin(annotation) is Annotated:
        inner, *marks_inside = typing.get_args(annotation)
        return shape(inner, marks_inside)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(s for option in typing.get_args(annotation) for s in shape(option))
    return (annotation,)


def field_shape(field: FieldInfo) -> Shape:
    """Return the alternatives that a field admits."""
    return shape(field.annotation, field.metadata)


def is_section(option: Any) -> bool:
    """Whether an alternative is a set of named options."""
    return isinstance(option, type) and issubclass(option, Options)


def is_map(option: Any) -> bool:
    """Whether an alternative is a map whose entries the user names."""
    return isinstance(option, Named) or _origin(option) is dict


def _origin(option: Any) -> Any:
    return typing.get_origin(option)


def section(option: Any, value: Any) -> type[Options] | None:
    """Return the options that a mapping `value` is made of, by its kind where there is a choice."""
    if is_section(option):
        return option
    if isinstance(option, Choice):
        named = option.spelt(value)
        kind = named.get(KIND) if isinstance(named, dict) else None
        if isinstance(kind, str) and kind in option.registry:
            return option.registry[kind].options
    return None


def child(admitted: Shape, part: Any, value: Any) -> Shape:
    """Return what is admitted at a part of `value`: a field, a map's entry, a list's item."""
    inner: list[Any] = []
    for option in admitted:
        options = section(option, value)
        if options is not None and part in options.model_fields:
            inner += field_shape(options.model_fields[part])
        elif isinstance(option, Named):
            choice = option.choice
            default = part if part in choice.registry else None
            inner.append(Choice(choice.registry, default, choice.number))
        elif _origin(option) is dict:
            inner += shape(typing.get_args(option)[1])
        elif _origin(option) in (list, tuple) and isinstance(part, int):
            items = typing.get_args(option)
            inner += shape(items[part if _origin(option) is tuple and part < len(items) else 0])
    return tuple(inner)


def all_sections(admitted: Shape) -> list[type[Options]]:
    """Return the options classes of all alternatives, for every kind of a choice."""
    sections: list[type[Options]] = []
    for option in admitted:
        choice = option.choice if isinstance(option, Named) else option
        if isinstance(choice, Choice):
            sections += [choice.registry[name].options for name in choice.registry]
        elif is_section(option):
            sections.append(option)
    return sections


def all_children(admitted: Shape, part: Any) -> Shape:
    """Return what any kind admits at a part."""
    fields = [o.model_fields[part] for o in all_sections(admitted) if part in o.model_fields]
    inner = [shape for field in fields for shape in field_shape(field)]
    return (*child(admitted, part, None), *inner)


def spelled(admitted: Shape) -> str:
    """Write alternatives as the user of a config would: `int or null`, `'a' or 'b'`."""
    return " or ".join(dict.fromkeys(map(_spelled, admitted)))


def _spelled(option: Any) -> str:
    origin, inner = _origin(option), typing.get_args(option)
    if isinstance(option, Choice):
        number = ["a number"] if option.number else []
        return " or ".join([*number, f"one of {', '.join(option.registry)}"])
    if isinstance(option, Named):
        return f"a list of names, or a map of names to {_spelled(option.choice)}"
    if is_section(option):
        return f"a mapping (keys: {', '.join(n for n in option.model_fields if n != KIND)})"
    if origin is Literal:
        return " or ".join(repr(value) for value in inner)
    if origin is tuple:
        return f"a list of {len(inner)} ({', '.join(spelled(shape(item)) for item in inner)})"
    if origin is list:
        return f"a list of {spelled(shape(inner[0]))}"
    if origin is dict:
        return f"a map of names to {spelled(shape(inner[1]))}"
    names = {type(None): "null", Any: "anything"}
    return names.get(option) or str(getattr(option, "__name__", option))


def texts(admitted: Shape) -> list[str]:
    """Return the texts that alternatives list."""
    listed = [v for o in admitted if _origin(o) is Literal for v in typing.get_args(o)]
    return [value for value in listed if isinstance(value, str)]


def defaults(options: type[Options]) -> dict[str, Any]:
    """Return the defaults of a section as plain values, for what interpolates them.

    What a choice's kind decides is not among them, and what the user must say is MISSING.
    """
    tree: dict[str, Any] = {}
    for name, field in options.model_fields.items():
        admitted, default = field_shape(field), field.get_default(call_default_factory=True)
        if len(admitted) == 1 and is_section(admitted[0]):
            tree[name] = defaults(admitted[0])
        elif not any(isinstance(option, (Choice, Named)) for option in admitted) and name != KIND:
            tree[name] = MISSING if field.is_required() else _dumped(default)
    return tree


def _dumped(default: Any) -> Any:
    """Return a default as plain values, the options within maps and lists too."""
    if isinstance(default, Options):
        return default.model_dump()
    if isinstance(default, dict):
        return {name: _dumped(value) for name, value in default.items()}
    return [_dumped(value) for value in default] if isinstance(default, list) else default


KeyPath = tuple[str, ...]


def walk(
    options: type[Options], above: KeyPath = ()
) -> Iterator[tuple[KeyPath, FieldInfo, Entry[Any] | None]]:
    """Yield (path, field, entry) of every key; `<name>` stands for a map's entries.

    Of a choice, the options of every kind come one after the other, each with its entry.
    """
    for name, field in options.model_fields.items():
        if name != KIND:
            yield (*above, name), field, None
            for option in field_shape(field):
                yield from _inside(option, (*above, name))


def _inside(option: Any, path: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo, Entry[Any] | None]]:
    if isinstance(option, Named):
        yield from _inside(option.choice, (*path, "<name>"))
    elif isinstance(option, Choice):
        for name in option.registry:
            entry = option.registry[name]
            for below, field, inner in walk(entry.options, path):
                yield below, field, inner or entry
    elif is_section(option):
        yield from walk(option, path)
    elif _origin(option) is dict:
        for inner in shape(typing.get_args(option)[1]):
            yield from _inside(inner, (*path, "<name>"))
    elif _origin(option) is list:
        for inner in shape(typing.get_args(option)[0]):
            yield from _inside(inner, path)
