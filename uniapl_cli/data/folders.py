"""Folders of shards, such as the clone of a hub data set: which files hold the rows of a split."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
_SHARD = re.compile(r"(.+?)-\d+-of-(\d+)")
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
    config = _config_of_card(folder)
    splits = _splits_of_card(folder, config)
    splits = splits or _splits_of_names(folder, _of_the_config(folder, config, readable))
    taken = {path for files in splits.values() for path in files}
    _name_the_others(folder, [p for p in listed if p not in taken and _is_of(p, (*kinds, *UNREAD))])
    if set(splits) == {""}:
        refuse_split(str(folder), split, key)
        return splits[""]
    chosen = splits[pick_split(str(folder), splits, split, key)]
    _name_the_missing(folder, chosen)
    return chosen


def files_that_match(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that a pattern names, in the order of their names.

    Raises DataError for what is no pattern.
    """
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())
    except (NotImplementedError, ValueError) as error:
        raise DataError(f"'{folder / pattern}' is no pattern: {error}", got=pattern) from None


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


def _name_the_missing(folder: Path, paths: Sequence[Path]) -> None:
    """Name shards that should be there, as `train-00000-of-00002` says, and are not."""
    shards = [match for path in paths if (match := _SHARD.match(path.name))]
    present = Counter((shard[1], int(shard[2])) for shard in shards)
    for (name, total), count in present.items():
        if count < total:
            text = "of the folder '%s', %d of the %d shards of '%s' are missing"
            log.warning(text, folder, total - count, total, name)


def _of_the_config(
    folder: Path, config: Mapping[str, Any], paths: Sequence[Path]
) -> Sequence[Path]:
    """Return the files in the `data_dir` of a card's config, all if it has none."""
    name = config.get("data_dir")
    if not isinstance(name, str):
        return paths
    inside = [path for path in paths if path.is_relative_to(folder / name)]
    if not inside:
        problem = f"'{folder}' has no files in '{name}', which its README.md names"
        raise DataError(problem, by_pattern(folder), got=name)
    return inside


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


def _splits_of_card(folder: Path, config: Mapping[str, Any]) -> dict[str, list[Path]]:
    """Return files by split as a config of README.md says; {} if it names no files."""
    name = config.get("data_dir")
    base = folder / name if isinstance(name, str) else folder
    splits: dict[str, list[Path]] = {}
    for split, pattern in _patterns(config.get("data_files")):
        files: list[Path] = []
        if ".." not in Path(pattern).parts:  # a card speaks of its own folder
            with suppress(DataError):
                files = files_that_match(base, pattern)
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
