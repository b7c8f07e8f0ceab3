"""A merged tree made final: interpolations filled in, then dataclass instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import (
    InterpolationResolutionError,
    InterpolationToMissingValueError,
    OmegaConfBaseException,
)

from uniapl_cli.config.check import Path, shown, wrong_type
from uniapl_cli.config.document import Loader
from uniapl_cli.config.shape import (
    MISSING,
    Unset,
    children,
    defaults,
    is_map,
    is_section,
    item_types,
    leaf,
    mapping_option,
)
from uniapl_cli.errors import ConfigError

T = TypeVar("T")


def resolve(tree: Mapping[str, Any], origins: Mapping[Path, str], schema: type[T]) -> T:
    """Return the tree as an instance of the schema. Raises ConfigError, naming the key's origin."""
    written = {".".join(path): where for path, where in origins.items()}
    try:
        container, unset = _fill(tree)
    except OmegaConfBaseException as error:
        raise _broken(error, written) from error
    except RecursionError as error:
        raise ConfigError("the config's interpolations refer to each other in a circle") from error
    return _Maker(written, unset).make(container, schema, "")


def _fill(tree: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Fill in the interpolations; one that leads to a missing value is missing itself.

    All verbs share one file, so that a section may well refer to what this verb has no need of.
    """
    config, unset = OmegaConf.create(dict(tree)), dict[str, str]()
    while True:
        try:
            return OmegaConf.to_container(config, resolve=True), unset
        except InterpolationToMissingValueError as error:
            key = error.full_key
            if not key or key in unset:
                raise
            unset[key] = _reason(error).rpartition(" ")[2]
            OmegaConf.update(config, key, MISSING)


def _reason(error: OmegaConfBaseException) -> str:
    line = (str(error).splitlines() or [""])[0]
    return line.rpartition("while resolving interpolation: ")[2]


def _broken(error: OmegaConfBaseException, origins: Mapping[str, str]) -> ConfigError:
    key = error.full_key or ""
    # A resolver that was found and failed (an absent environment variable) was meant as one.
    meant = type(error) is InterpolationResolutionError
    hint = "" if meant else ". For the text itself, write \\${"
    return ConfigError(
        f"{_where(key, origins)}: '{key}' cannot be resolved: {_reason(error)}{hint}"
    )


def _where(key: str, origins: Mapping[str, str]) -> str:
    """Say where a key, or the closest section or list above it, was written."""
    while key:
        if key in origins:
            return origins[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return "default value"


@dataclass
class _Maker:
    origins: Mapping[str, str]
    unset: Mapping[str, str]

    def make(self, value: Any, annotation: Any, key: str) -> Any:
        """Return the value as its annotation has it."""
        if isinstance(value, dict):
            return self.mapping(value, annotation, key)
        if isinstance(value, list):
            return self.sequence(value, annotation, key)
        if value == MISSING:
            return Unset(self.unset[key]) if key in self.unset else MISSING
        found = leaf(_readings(value), annotation)
        if found is None:
            raise self.wrong(value, annotation, key)
        return found[0]

    def mapping(self, value: dict[str, Any], annotation: Any, key: str) -> Any:
        """Return a section as its dataclass, a map as a dict."""
        option = mapping_option(annotation)
        if option is None:
            raise self.wrong(value, annotation, key)
        # An item of a list, or what an interpolation brings, was not merged with the defaults.
        value = {**defaults(option), **value} if is_section(option) else value
        annotations = children(option, list(value))
        if unknown := [name for name in value if name not in annotations]:
            raise ConfigError(f"{_where(key, self.origins)}: '{key}' takes no '{unknown[0]}'")
        made = {
            name: self.make(item, annotations[name], f"{key}.{name}".lstrip("."))
            for name, item in value.items()
            if item is not None or not is_map(option)
        }
        return self.section(option, made, key) if is_section(option) else made

    def section(self, section: type, values: dict[str, Any], key: str) -> Any:
        try:
            return section(**values)
        except ValueError as error:
            raise ConfigError(f"{_where(key, self.origins)}: '{key}': {error}") from error

    def sequence(self, value: list[Any], annotation: Any, key: str) -> Any:
        fitting = item_types(annotation, len(value))
        if fitting is None:
            raise self.wrong(value, annotation, key)
        pairs = enumerate(zip(value, fitting[1], strict=True))
        return fitting[0](self.make(item, inner, f"{key}[{n}]") for n, (item, inner) in pairs)

    def wrong(self, value: object, annotation: Any, key: str) -> ConfigError:
        return ConfigError(
            f"{_where(key, self.origins)}: {wrong_type(key, shown(value), annotation)}"
        )


def _readings(value: object) -> list[object]:
    """A number from the environment is text, and a number put into a text field is a number."""
    if value is None:
        return [value]
    if not isinstance(value, str):
        return [value, str(value).lower()]
    try:
        other = yaml.load(value, Loader)
    except (yaml.YAMLError, ValueError):
        return [value]
    return [value, other]
