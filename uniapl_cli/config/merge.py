"""Layers on top of each other: sections and maps merge, anything else replaces."""

from __future__ import annotations

from typing import Any

from uniapl_cli.config.check import Layer, Path
from uniapl_cli.config.shape import children, defaults, is_map, is_section, mapping_option
from uniapl_cli.errors import ConfigError, nearest


def merge(base: Any, layer: Layer, schema: type) -> Any:
    """Return `base` with a layer on top; null removes an entry of a map, which must be there."""
    return _merge(base, layer.tree, schema, (), layer)


def _merge(base: Any, new: Any, annotation: Any, path: Path, layer: Layer) -> Any:
    if not isinstance(new, dict):
        return new
    option = mapping_option(annotation)
    if not isinstance(base, dict):
        base = defaults(option) if is_section(option) else {}
    merged, annotations = dict(base), children(option, list(new))
    for name, value in new.items():
        below = (*path, name)
        if value is None and is_map(option):
            _remove(merged, below, layer)
        else:
            merged[name] = _merge(merged.get(name), value, annotations[name], below, layer)
    return merged


def _remove(entries: dict[str, Any], path: Path, layer: Layer) -> None:
    if path[-1] not in entries:
        guess, section = nearest(path[-1], entries), ".".join(path[:-1])
        hint = f" Did you mean '{section}.{guess}'?" if guess else ""
        raise ConfigError(
            f"{layer.origins[path]}: null removes '{'.'.join(path)}', but '{section}' has no such "
            f"entry.{hint} It has: {', '.join(entries) or '(none)'}"
        )
    del entries[path[-1]]
