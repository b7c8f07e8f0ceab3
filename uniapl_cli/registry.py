"""A name for each thing a config may choose. The decorated definition is the registration."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from uniapl_cli.errors import UniAPLError, unknown

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered definition: its keyword-only parameters are what a config may set."""

    kind: str
    name: str
    make: T
    facts: Mapping[str, Any]

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The keyword-only parameters, with their annotations resolved."""
        signature = inspect.signature(self.make, eval_str=True)
        return {
            name: parameter
            for name, parameter in signature.parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def describe(self, given: Sequence[str] = ()) -> str:
        """List what the definition takes: `signal, clip_low = 0.2`; `given` names are left out."""
        shown = [
            name if parameter.default is parameter.empty else f"{name} = {parameter.default!r}"
            for name, parameter in self.parameters.items()
            if name not in given
        ]
        return ", ".join(shown) or "nothing"

    def check(self, params: Mapping[str, Any], given: Sequence[str] = ()) -> None:
        """Refuse parameters that the definition does not take, lacks, or takes in another type.

        `given` names the parameters that the program itself supplies. The definition's own fact
        `sensible`, a function of all its parameters, may refuse values. Raises UniAPLError.
        """
        about = f"{self.kind} '{self.name}'"
        takes = f"It takes: {self.describe(given)}"
        allowed = {n: p for n, p in self.parameters.items() if n not in given}
        for name, value in params.items():
            if name not in allowed:
                raise UniAPLError(f"{about}: {unknown('parameter', name, allowed)}. {takes}")
            annotation = allowed[name].annotation
            if not conforms(value, annotation):
                raise UniAPLError(
                    f"{about}: {name} = {value!r} is not of type {spell(annotation)}. {takes}"
                )
        for name, parameter in allowed.items():
            if parameter.default is parameter.empty and name not in params:
                raise UniAPLError(f"{about}: '{name}' is missing. {takes}")
        if sensible := self.facts.get("sensible"):
            sensible(**{n: p.default for n, p in allowed.items()} | dict(params))

    def bind(self, params: Mapping[str, Any], **given: Any) -> Callable[..., Any]:
        """Return the definition with `params` (checked) and what it takes of `given` filled in."""
        self.check(params, tuple(given))
        wanted = {name: value for name, value in given.items() if name in self.parameters}
        return partial(self.make, **params, **wanted)


class Registry(Generic[T]):
    """All definitions of one kind, by name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}

    def register(self, name: str, **facts: Any) -> Callable[[T], T]:
        """Decorate a definition. `facts` are what the program must know of it beforehand."""

        def decorate(make: T) -> T:
            if name in self._entries:
                other = self._entries[name].make
                raise ValueError(f"{self.kind} '{name}' is registered twice: {other} and {make}")
            self._entries[name] = Entry(self.kind, name, make, facts)
            return make

        return decorate

    def __getitem__(self, name: str) -> Entry[T]:
        """Return the entry; an unknown name raises UniAPLError with the nearest known one."""
        if name not in self._entries:
            raise UniAPLError(unknown(self.kind, name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def conforms(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the annotated type. An int is a float; a bool is not an int."""
    if annotation in (Any, inspect.Parameter.empty):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, option) for option in arguments)
    if origin is typing.Literal:
        return value in arguments
    if annotation is None or annotation is type(None):
        return value is None
    if isinstance(value, bool):
        return annotation is bool
    if annotation is float:
        return isinstance(value, (int, float))
    if origin in (list, Sequence):
        return isinstance(value, (list, tuple)) and all(conforms(v, arguments[0]) for v in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(conforms(v, arguments[1]) for v in value.values())
    return isinstance(value, origin or annotation)


def spell(annotation: Any) -> str:
    """Write a type as a reader would: `int`, `list[str]`, `'at least' or 'less than'`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(repr(argument) for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(spell(argument) for argument in arguments)
    if origin is Sequence:
        return f"list[{spell(arguments[0])}]"
    return getattr(annotation, "__name__", str(annotation)) if origin is None else str(annotation)
