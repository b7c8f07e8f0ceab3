"""A config as text again: YAML that loads to an equal object, and what differs between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from uniapl_cli.config.document import TAG, Loader
from uniapl_cli.config.shape import (
    MISSING,
    children,
    defaults,
    is_map,
    is_section,
    mapping_option,
    plain,
)

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


def to_yaml(config: object) -> str:
    """Render a config with every value in it; loading the text alone gives an equal object.

    A map's entry that only the schema's default has is written as null, which removes it.
    """
    tree = _written(plain(config), type(config), defaults(type(config)))
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)


def differences(a: object, b: object) -> list[str]:
    """Return a line `optim.lr: 0.001 -> 0.002` for each key whose values differ."""
    return list(_differences(plain(a), plain(b), ""))


def _differences(a: Any, b: Any, key: str) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in dict.fromkeys([*a, *b]):
            below = f"{key}.{name}".lstrip(".")
            yield from _differences(a.get(name, _ABSENT), b.get(name, _ABSENT), below)
    elif _inline(a) != _inline(b) and a != b:
        yield f"{key}: {_inline(a)} -> {_inline(b)}"


def _inline(value: Any) -> str:
    if value is _ABSENT or value == MISSING:
        return "(absent)" if value is _ABSENT else "(not set)"
    return json.dumps(value, ensure_ascii=False)


def _written(value: Any, annotation: Any, default: Any) -> Any:
    if isinstance(value, str):
        return _escape(str(value))
    if isinstance(value, list):
        return [_written(item, Any, None) for item in value]
    if not isinstance(value, dict):
        return value
    option = mapping_option(annotation)
    if not isinstance(default, dict):
        default = defaults(option) if is_section(option) else {}
    hints = children(option, list(value))
    written = {name: _written(item, hints[name], default.get(name)) for name, item in value.items()}
    return written | {name: None for name in default if is_map(option) and name not in value}


def _escape(text: str) -> str:
    """Keep OmegaConf from filling in what is text: `${` is `\\${`, backslashes before it double."""
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)
