"""Writes a config as YAML that loads to an equal object; lists differences of two configs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from uniapl_cli.config.document import TAG, Loader
from uniapl_cli.config.keys import plain as plain
from uniapl_cli.config.load import VERSION, Root
from uniapl_cli.options import MISSING, Options, is_marked

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
    tree = {"version": VERSION, **_escaped(plain(config))}
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)


def _escaped(value: Any) -> Any:
    """Keep OmegaConf from filling in what is text: `${` is `\\${`, backslashes before it double."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", value)
    if isinstance(value, dict):
        return {name: _escaped(item) for name, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


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
            n: fixed(getattr(value, n)) for n, f in fields.items() if not is_marked(f, "may_change")
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
