"""Writes a config as YAML that loads to an equal object; lists differences of two configs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from uniapl_cli.config.document import TAG, Loader
from uniapl_cli.config.keys import plain as plain
from uniapl_cli.config.layers import Path
from uniapl_cli.config.load import VERSION, Root
from uniapl_cli.config.secrets import shown_value
from uniapl_cli.options import MISSING, Options, is_marked
from uniapl_cli.registry import KIND

_ABSENT = object()


class _Dumper(yaml.SafeDumper):
    """Quote what `Loader` would take for something else, and spell everything out."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        # PyYAML writes some line breaks (U+0085 ...) as they are, and reads a space for them.
        style = None if data.isprintable() else '"'
        return self.represent_scalar(TAG + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.text)


def to_yaml(config: Root) -> str:
    """Render a config with every value in it; loading the text alone gives an equal object."""
    tree = {"version": VERSION, **recorded(config, config)}
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)


def recorded(config: Root, value: Any, path: Path = (), *, leave: str = "") -> Any:
    """Return a part of a config, at `path`, as files keep it: without secrets.

    What an environment variable gives is the text that names the variable; what is named as a
    secret among free fields is hidden. Text that is not to be filled in is escaped. Fields with
    the mark `leave` are left out.
    """
    if path in config.environment:
        return config.environment[path]
    if isinstance(value, Options):
        fields = type(value).model_fields
        names = sorted(fields, key=lambda name: name != KIND)
        return {
            name: recorded(config, shown_value(value, name), (*path, name), leave=leave)
            for name in names
            if not (leave and is_marked(fields[name], leave))
        }
    if isinstance(value, dict):
        return {n: recorded(config, item, (*path, n), leave=leave) for n, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [recorded(config, v, (*path, n), leave=leave) for n, v in enumerate(value)]
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    """Keep OmegaConf from filling in what is text: `${` is `\\${`, backslashes before it double."""
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)


class Difference(NamedTuple):
    """A key with two values; as a text, `optim.lr: 0.001 -> 0.002`."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key}: {_inline(self.before)} -> {_inline(self.now)}"


def differences(a: Options, b: Options) -> list[Difference]:
    """Return what differs of the keys that decide results."""
    return list(_differences(plain(fixed(a)), plain(fixed(b)), ""))


def fixed(value: Any) -> Any:
    """Return options without the keys that may change when a run is resumed."""
    if isinstance(value, Options):
        fields = type(value).model_fields
        return {
            n: fixed(shown_value(value, n))
            for n, f in fields.items()
            if not is_marked(f, "may_change")
        }
    return {n: fixed(v) for n, v in value.items()} if isinstance(value, dict) else value


def _differences(a: Any, b: Any, key: str) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in dict.fromkeys([*a, *b]):
            below = f"{key}.{name}".lstrip(".")
            yield from _differences(a.get(name, _ABSENT), b.get(name, _ABSENT), below)
    elif _inline(a) != _inline(b) and a != b:
        yield Difference(key, a, b)


def _inline(value: Any) -> str:
    if value is _ABSENT or value == MISSING:
        return "(absent)" if value is _ABSENT else "(not set)"
    return json.dumps(value, ensure_ascii=False)
