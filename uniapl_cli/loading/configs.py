"""config.json, checked before a library believes what it says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.errors import ModelError

# No model has more; a library makes lists, or modules, of as many as it is told.
MOST_LAYERS = 10_000
LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
CONTEXT = ("max_position_embeddings", "n_positions")
SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
)


def check_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Refuse values of a config.json that no model has. Raises ModelError that names the file."""
    kinds = settings.get("architectures")
    if kinds is not None and not (
        isinstance(kinds, list) and all(isinstance(kind, str) for kind in kinds)
    ):
        raise wrong(file, "architectures", kinds, "a list of names is needed")
    _check_least(file, settings, SIZES)
    for section in _sections(settings):
        for name in LAYERS:
            if _number(section.get(name)) > MOST_LAYERS:
                raise wrong(file, name, section[name], f"at most {MOST_LAYERS} are believed")
        _check_least(file, section, CONTEXT)
        if not 0 < _number(section.get("rope_theta")) < math.inf:
            raise wrong(file, "rope_theta", section["rope_theta"], "it must be above 0")


def _check_least(file: Path, settings: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if _number(settings.get(name)) < 1:
            raise wrong(file, name, settings[name], "1 is the least")


def check_generation(file: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a generation_config.json whose end tokens are no ids. Raises ModelError."""
    ends = settings.get("eos_token_id")
    ids = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if any(type(id) is not int for id in ids):
        raise wrong(file, "eos_token_id", ends, "an id or a list of ids is needed")


def check_token(file: Path, settings: Mapping[str, Any], name: str) -> None:
    """Refuse a token's id that is no number below vocab_size. Raises ModelError."""
    id, size = settings.get(name), settings.get("vocab_size")
    if type(id) is not int or id < 0 or (type(size) is int and id >= size):
        raise wrong(file, name, id, f"an id below the vocab_size of {size} is needed")


def wrong(file: Path, name: str, value: Any, allowed: str) -> ModelError:
    """Return the error that a value of a config.json is not to be believed."""
    return ModelError(f"'{file}': {name} is {value!r:.60}: {allowed}", got=value)


def _sections(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the settings and those of parts, such as a text model's beside a vision tower's."""
    yield settings
    for part in settings.values():
        if isinstance(part, dict):
            yield part


def _number(value: Any) -> float:
    """Return a value as a number; 1 where it is none, whose type the library itself refuses."""
    return value if type(value) in (int, float) else 1
