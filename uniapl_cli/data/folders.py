"""Folders of shards, such as the clone of a hub data set: which files hold the rows of a split."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from uniapl_cli.data.tables import pick_split, refuse_split
from uniapl_cli.errors import DataError

log = logging.getLogger("uniapl")

# Files beside the data that describe it.
ABOUT = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
# What looks like data and is not read.
UNREAD = (".txt", ".zst", ".bz2", ".xz", ".zip", ".tar", ".tgz", ".xlsx", ".pkl", ".npy", ".h5")
KEYWORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_SHARD = re.compile(r"(.+?)-\d+-of-\d+")
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)


def by_pattern(folder: Path, suffix: str = ".parquet") -> str:
    """Return the advice to name some of a folder's files."""
    return f"Name the files by a pattern, such as '{folder}/*{suffix}'"


def files_of(folder: Path, split: str | None, key: str, kinds: Sequence[str]) -> list[Path]:
    """Return the files of a folder's split, in the order of their names. Raises DataError.

    `kinds` are the suffixes of files that can be read. The folder's card, if it has `configs`, says
    which files belong to which split; else their names do.
    """
    listed = sorted(path for path in folder.rglob("*") if path.is_file() and _counts(folder, path))
    readable = [path for path in listed if _is_of(path, kinds)]
    if not readable:
        problem = f"'{folder}' is a folder without data files, and `datasets` did not save it"
        raise DataError(problem, f"These are read: {', '.join(kinds)}", got=str(folder))
    splits = _splits_of_card(folder) or _splits_of_names(folder, readable)
    taken = {path for files in splits.values() for path in files}
    _name_the_others(folder, [p for p in listed if p not in taken and _is_of(p, (*kinds, *UNREAD))])
    if set(splits) == {""}:
        refuse_split(str(folder), split, key)
        return splits[""]
    return splits[pick_split(str(folder), splits, split, key)]


def _counts(folder: Path, path: Path) -> bool:
    inside = path.relative_to(folder)
    return path.name not in ABOUT and not any(part.startswith(".") for part in inside.parts)


def _is_of(path: Path, kinds: Sequence[str]) -> bool:
    return path.name.lower().endswith(tuple(kinds))


def _name_the_others(folder: Path, paths: Sequence[Path]) -> None:
    if paths:
        names = ", ".join(str(path.relative_to(folder)) for path in paths[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        log.warning("of the folder '%s' these files are not read: %s%s", folder, names, more)


def _splits_of_names(folder: Path, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return files by split, as `train-00000-of-00002` or a part of the path says; "" for none."""
    splits: dict[str, list[Path]] = {}
    for path in paths:
        splits.setdefault(_split_of(path.relative_to(folder)), []).append(path)
    if "" in splits and len(splits) > 1:
        name = splits[""][0].relative_to(folder)
        others = ", ".join(sorted(set(splits) - {""}))
        raise DataError(
            f"'{folder}' has files of the splits {others}, and '{name}' of none",
            by_pattern(folder, name.suffix),
            got=str(name),
        )
    return splits


def _split_of(path: Path) -> str:
    """Return the split that a file's name says, else its folders', else ""."""
    if match := _SHARD.match(path.name):
        return match[1]
    for part in reversed(path.parts):
        words = re.split(r"[^a-z]+", part.lower())
        if word := next((word for word in reversed(words) if word in KEYWORDS), None):
            return KEYWORDS[word]
    return ""


def _splits_of_card(folder: Path) -> dict[str, list[Path]]:
    """Return files by split as the configs of README.md say; {} if it has none."""
    config = _config_of_card(folder)
    splits: dict[str, list[Path]] = {}
    for split, pattern in _patterns(config.get("data_files")):
        files = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not files:
            problem = f"'{folder}' has no file '{pattern}', which its README.md names"
            raise DataError(problem, by_pattern(folder), got=pattern)
        splits.setdefault(split, []).extend(files)
    return splits


def _patterns(data_files: Any) -> list[tuple[str, str]]:
    """Return the (split, pattern) pairs of a config's `data_files`."""
    listed = data_files if isinstance(data_files, list) else [data_files]
    pairs = []
    for one in listed:
        entry: Mapping[str, Any] = one if isinstance(one, dict) else {"path": one}
        paths = entry.get("path")
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str):
                pairs.append((str(entry.get("split", "train")), path))
    return pairs


def _config_of_card(folder: Path) -> Mapping[str, Any]:
    """Return the card's only config, or its default one; {} if it has none. Raises DataError."""
    try:
        match = _FRONT_MATTER.match((folder / "README.md").read_text(encoding="utf-8"))
        card = yaml.safe_load(match[1]) if match else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    configs = card.get("configs") if isinstance(card, dict) else None
    configs = [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    if len(configs) < 2:
        return configs[0] if configs else {}
    default = next((c for c in configs if c.get("default")), None)
    default = default or next((c for c in configs if c.get("config_name") == "default"), None)
    if default is None:
        names = [str(config.get("config_name")) for config in configs]
        problem = f"'{folder}' has several configs: {', '.join(names)}"
        raise DataError(problem, by_pattern(folder), got=str(folder), allowed=names)
    return default
