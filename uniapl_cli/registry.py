"""Registries: the named definitions that a config may choose from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field, create_model, model_validator
from pydantic_core import core_schema

from uniapl_cli.errors import unknown
from uniapl_cli.options import Options

T = TypeVar("T", bound=Callable[..., Any])
D = TypeVar("D", bound=Callable[..., Any])  # a definition keeps its own type
KIND = "kind"
# A name that YAML does not read as a text.
OFF = "off"


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered definition, its options and its traits.

    `definition` is an Options class, or a function or class whose keyword-only parameters are the
    options, but for those that the program supplies. `traits` is what the program must know of it
    before it is made.
    """

    kind: str
    name: str
    definition: T
    options: type[Options]
    traits: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """The first line of the definition's docstring."""
        return (inspect.getdoc(self.definition) or "").partition("\n")[0]

    def takes(self) -> dict[str, Any]:
        """Return the options by name, as pydantic's FieldInfo."""
        return {name: f for name, f in self.options.model_fields.items() if name != KIND}


class Registry(Generic[T]):
    """The definitions of one kind of thing, by name.

    `base` holds the options that all of them have. `supplied` names parameters that the program
    fills in, and a config cannot. `includes`: another one, whose definitions are here too.
    """

    def __init__(
        self,
        kind: str,
        *,
        base: type[Options] = Options,
        supplied: tuple[str, ...] = (),
        includes: Registry[Any] | None = None,
    ) -> None:
        self.kind, self.base, self.supplied, self.includes = kind, base, supplied, includes
        self._entries: dict[str, Entry[T]] = {}
        self._in_schema = False

    def register(self, name: str, **traits: Any) -> Callable[[D], D]:
        """Decorate a definition: an Options class, or a function with keyword-only parameters.

        The trait `sensible`, a function of all options, raises ValueError for values that do not go
        together.
        """

        def decorate(definition: D) -> D:
            """Register the definition and return it."""
            if name in self:
                other = self[name].definition
                raise ValueError(
                    f"{self.kind} '{name}' is registered already, by {_full_name(other)}: choose "
                    "another name"
                )
            if self._in_schema:
                raise ValueError(
                    f"{self.kind} '{name}' is registered too late: import it before the schema"
                )
            options = self._options(name, definition, traits.get("sensible"))
            entry: Entry[Any] = Entry(self.kind, name, definition, options, traits)
            self._entries[name] = entry
            return definition

        return decorate

    def _options(self, name: str, definition: Any, sensible: Any) -> type[Options]:
        """Return the options of a definition, with its name as the field `kind`."""
        kind: dict[str, Any] = {KIND: (Literal[name], Field(name, repr=False))}
        if inspect.isclass(definition) and issubclass(definition, Options):
            return create_model(definition.__name__, __base__=definition, **kind)
        known = {*self.supplied, *self.base.model_fields}
        parameters = {
            p.name: (p.annotation, ... if p.default is p.empty else p.default)
            for p in inspect.signature(definition, eval_str=True).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.name not in known
        }
        checks = {"sensible": _check(sensible)} if sensible else {}
        return create_model(  # type: ignore[call-overload]
            name, __base__=self.base, __validators__=checks, **parameters, **kind
        )

    def __getitem__(self, name: str) -> Entry[T]:
        """Return the entry; an unknown name raises UniAPLError with the nearest known one."""
        if name not in self:
            raise unknown(self.kind, name, self)
        return self._all()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, Entry[T]]:
        included: Mapping[str, Entry[T]] = {} if self.includes is None else self.includes._all()
        return {**included, **self._entries} if included else self._entries

    def entry(self, options: Options) -> Entry[T]:
        """Return the entry whose options these are."""
        return self[getattr(options, KIND)]

    def options(self, name: str, **values: Any) -> Options:
        """Return an entry's options with these values, checked; the others are the defaults."""
        return self[name].options.model_validate(values)

    def bind(self, options: Options, **supplied: Any) -> Callable[..., Any]:
        """Return the entry's function, bound to its options and the supplied arguments it takes."""
        definition = self.entry(options).definition
        own = {name: getattr(options, name) for name in type(options).model_fields}
        parameters = inspect.signature(definition).parameters
        return partial(
            definition, **{n: v for n, v in {**own, **supplied}.items() if n in parameters}
        )

    def wants(self, options: Options, name: str) -> bool:
        """Whether the entry's definition has a parameter `name`."""
        return name in inspect.signature(self.entry(options).definition).parameters


def _full_name(definition: Any) -> str:
    return f"{definition.__module__}.{definition.__qualname__}"


def _check(sensible: Callable[..., None]) -> Any:
    def check(self: Options) -> Options:
        sensible(**{name: getattr(self, name) for name in type(self).model_fields if name != KIND})
        return self

    return model_validator(mode="after")(check)


@dataclass(frozen=True)
class Choice:
    """The type of a field that chooses an entry: `NAME`, or `{kind: NAME, option: value}`.

    `Annotated[Options, Choice(registry)]`. Without a kind it is `default`. A bare number is
    `{kind: number[0], number[1]: NUMBER}`.
    """

    registry: Registry[Any]
    default: str | None = None
    number: tuple[str | None, str] | None = None

    def spelt(self, value: Any, default: str | None = None) -> Any:
        """Return a value as a mapping with its kind, where it stands for one.

        YAML reads a bare `off` as false, which is the entry of that name where there is one.
        """
        if value is False and OFF in self.registry:
            value = OFF
        if isinstance(value, dict) and value.get(KIND) is False and OFF in self.registry:
            value = {**value, KIND: OFF}
        if isinstance(value, str):
            return {KIND: value}
        default = default or self.default
        if self.number and isinstance(value, (int, float)) and not isinstance(value, bool):
            kind, option = self.number
            value = {KIND: kind, option: value} if kind else {option: value}
        if isinstance(value, dict) and KIND not in value and default is not None:
            return {KIND: default, **value}
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return a union of all entries' options, tagged by their names."""
        self.registry._in_schema = True
        members: dict[Any, Any] = {
            name: handler.generate_schema(self.registry[name].options) for name in self.registry
        }
        return core_schema.no_info_before_validator_function(
            self.spelt, core_schema.tagged_union_schema(members, discriminator=_kind)
        )


@dataclass(frozen=True)
class Named:
    """The type of a map whose entries choose by their own name: `{NAME: {option: value}}`.

    `Annotated[dict[str, Options], Named(Choice(registry))]`. An entry may have a `kind` of its own.
    A list of names stands for a map of their defaults.
    """

    choice: Choice

    def spelt(self, value: Any) -> Any:
        """Return the map with the kind of each entry filled in.

        Raises ValueError(UniAPLError) for a list with an unknown name.
        """
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            registry = self.choice.registry
            for name in value:
                if name not in registry:
                    raise ValueError(unknown(registry.kind, name, registry))
            value = {name: {} for name in value}
        if not isinstance(value, dict):
            return value
        default = {name: name if name in self.choice.registry else None for name in value}
        return {name: self.choice.spelt(item, default[name]) for name, item in value.items()}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return a map of the choice."""
        one = self.choice.__get_pydantic_core_schema__(source, handler)
        entries = core_schema.dict_schema(core_schema.str_schema(), one, strict=True)
        return core_schema.no_info_before_validator_function(self.spelt, entries)


@dataclass(frozen=True)
class NameOf:
    """The type of a text that names an entry or is one of `others`: `Annotated[str, NameOf(r)]`."""

    registry: Registry[Any]
    others: tuple[str, ...] = ()

    def check(self, name: str) -> str:
        """Return the name. Raises ValueError(UniAPLError) if it is unknown."""
        if name not in self.registry and name not in self.others:
            raise ValueError(unknown(self.registry.kind, name, [*self.others, *self.registry]))
        return name

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return a text that is checked."""
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(strict=True)
        )


def _kind(value: Any) -> Any:
    return value.get(KIND) if isinstance(value, dict) else getattr(value, KIND, None)
