"""Opens a data set by its name: a file, a pattern of files, a folder, or a name on the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from uniapl_cli.data import tables
from uniapl_cli.data.folders import by_pattern, files_of, files_that_match
from uniapl_cli.data.rows import Rows, Shards
from uniapl_cli.data.tables import refuse_split
from uniapl_cli.data.text_files import Csv, JsonLines, open_json, refuse_pointer
from uniapl_cli.errors import DataError, unknown

KINDS: Mapping[str, Callable[[Path], Rows]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": open_json,
    ".csv": partial(Csv, separator=","),
    ".tsv": partial(Csv, separator="\t"),
    ".parquet": tables.open_parquet,
    ".arrow": tables.open_arrow,
}
ZIPPED = tuple(f"{suffix}.gz" for suffix in (".jsonl", ".ndjson", ".json", ".csv", ".tsv"))
SUFFIXES = (*KINDS, *ZIPPED)
PACKED = (".gz", ".zst", ".bz2", ".xz", ".zip", ".tar", ".tgz")


def open_rows(name: str, split: str | None = None, key: str = "data.split") -> Rows:
    """Open a data set: a file, a pattern of files, a folder, or a hub name. Raises DataError.

    `key` is the one that names the split.
    """
    path = Path(name)
    if path.is_dir():
        return _open_folder(path, split, key)
    if not path.exists() and _is_pattern(name):
        refuse_split(name, split, key)
        return _open_files(name, _matching(name))
    if path.is_file() or _kind(path) is not None or _is_path(name):
        rows = _open_file(path)
        refuse_split(name, split, key)
        return rows
    return tables.open_hub(name, split, key)


def paths_named(name: str) -> list[Path]:
    """Return the file or folder of this name, or the files of a pattern; [] for a hub's name."""
    path = Path(name)
    if path.exists():
        return [path]
    return _matching(name) if _is_pattern(name) else []


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _kind(path: Path) -> str | None:
    """Return the suffix by which a file is read, without .gz; None for one that is not."""
    name = path.name.lower()
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    return suffix and suffix.removesuffix(".gz")


def _is_path(name: str) -> bool:
    """Whether a name can be none of the hub's."""
    return name.startswith((".", "/", "~")) or name.count("/") > 2


def _open_file(path: Path) -> Rows:
    if not path.exists():
        raise DataError(f"no such file or folder: '{path}'", got=str(path))
    if not path.is_file():
        problem = f"'{path}' is a pipe or a device, and rows are read more than once"
        raise DataError(problem, "Write them into a file", got=str(path))
    kind = _kind(path)
    if kind is None:
        error = unknown("kind of data file", path.suffix or path.name, SUFFIXES, DataError)
        if path.suffix.lower() in PACKED:
            error.suggestion, error.advice = None, f"Unpack it first. {error.advice}"
        raise error
    refuse_pointer(path)
    return KINDS[kind](path)


def _open_files(name: str, paths: Sequence[Path]) -> Rows:
    """Open several files of one kind as one data set."""
    kinds = sorted({str(_kind(path) or path.suffix) for path in paths})
    if len(kinds) > 1:
        problem = f"'{name}' holds files of several kinds: {', '.join(kinds)}"
        folder = Path(name) if Path(name).is_dir() else Path(name).parent
        raise DataError(problem, by_pattern(folder, kinds[0]), got=kinds)
    parts = [_open_file(path) for path in paths]
    return parts[0] if len(parts) == 1 else Shards(name, parts)


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern)
    paths = files_that_match(Path(path.anchor), str(path.relative_to(path.anchor)))
    if not paths:
        raise DataError(f"no file matches '{pattern}'", got=pattern)
    return paths


def _open_folder(path: Path, split: str | None, key: str) -> Rows:
    if any((path / name).is_file() for name in ("dataset_dict.json", "state.json")):
        return tables.open_saved(path, split, key)
    return _open_files(str(path), files_of(path, split, key, SUFFIXES))
