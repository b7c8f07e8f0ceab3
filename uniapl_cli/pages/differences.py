"""Keys of configs that differ between runs, the seeds of one run in one column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from uniapl_cli.evaluation.seeds import split_seed
from uniapl_cli.pages.study import Run

NOT_SET = "-"
# What stands for a run's own folder, and for its name.
FOLDER, NAME = "(its folder)", "(its name)"

# A config's values by their full keys.
Flat = Mapping[str, str]


@dataclass(frozen=True)
class Differences:
    """A table: a row a key, a column a run, or a run's seeds.

    A part that some runs lack, such as a term, is one row. equal: how many keys all runs have
    alike. own: keys that differ by the run's own folder and name alone.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    equal: int
    own: Sequence[str]


def differences(runs: Sequence[Run]) -> Differences:
    """Return in what the configs of runs differ; runs without one are left out."""
    runs = [run for run in runs if run.config]
    flat = [_flat(run.config) for run in runs]
    plain = [_without_own(values) for values in flat]
    keys = list(dict.fromkeys(key for values in flat for key in values))
    differing = [key for key in keys if len({values.get(key) for values in plain}) > 1]
    own = [
        key
        for key in keys
        if key not in differing and len({values.get(key) for values in flat}) > 1
    ]
    groups: dict[str, list[Flat]] = {}
    for run, values in zip(runs, plain, strict=True):
        groups.setdefault(split_seed(run.name)[0], []).append(values)
    columns = [
        name if len(group) == 1 else f"{name} ({len(group)} seeds)"
        for name, group in groups.items()
    ]
    rows = [
        (part, [_together([_part(one, part) for one in group]) for group in groups.values()])
        for part in dict.fromkeys(_lacking(key, plain) for key in differing)
    ]
    return Differences(columns, rows, len(keys) - len(differing) - len(own), own)


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Return values as JSON by their full keys; an empty mapping holds nothing."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def _lacking(key: str, runs: Sequence[Flat]) -> str:
    """Return the largest part of a config, below a section, that has a key and that a run lacks."""
    names = key.split(".")
    for depth in range(2, len(names)):
        part = ".".join(names[:depth])
        if any(not any(one.startswith(f"{part}.") for one in run) for run in runs):
            return part
    return key


def _part(run: Flat, part: str) -> str:
    """Return a key's value, or a line a key of a part."""
    if part in run:
        return run[part]
    lines = [
        f"{key.removeprefix(part)[1:]}: {value}"
        for key, value in run.items()
        if key.startswith(f"{part}.")
    ]
    return "\n".join(lines) or NOT_SET


def _without_own(flat: Flat) -> dict[str, str]:
    """Return values in which the run's own folder and its name do not differ from others'."""
    folder = flat.get("run.dir", "")
    name = PurePath(folder).name
    return {key: _own(key, value, folder, name) if name else value for key, value in flat.items()}


def _own(key: str, value: str, folder: str, name: str) -> str:
    """Return a value with what is the run's own replaced; its name only where that is a name."""
    if value == folder or value.startswith(f"{folder}/"):
        return FOLDER + value[len(folder) :]
    if not key.startswith("eval."):
        return value
    return "/".join(NAME if part == name else part for part in value.split("/"))


def _together(values: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(values))
