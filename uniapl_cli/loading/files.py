"""Files of a model's folder or hub repository: found, kept inside it, and read as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.errors import ModelError
from uniapl_cli.reasons import explained

# Of weights, which people share by links, a link may lead anywhere; a name in a file may not.
LINKED = (".safetensors", ".bin")
POINTER = b"version https://git-lfs.github.com/spec/"


def hub_file(path: str | Path, name: str, revision: str | None = None) -> Path | None:
    """Return a file of a folder or of a hub repository; None where there is none.

    Raises ModelError for a name that leads out of the folder, for a link that does so and is not
    of weights, and for what is no file.
    """
    from transformers.utils import cached_file

    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name or not name:
        raise _refused(path, name, "it leads out of the folder")
    if Path(path).exists():
        return _local_file(Path(path), name)
    try:
        file = cached_file(str(path), name, revision=revision)
    except (OSError, ValueError):  # not there; the latter for what no repository is called
        return None
    return None if file is None else Path(file)


def _local_file(folder: Path, name: str) -> Path | None:
    if not folder.is_dir():
        raise ModelError(f"'{folder}' is a file; a model is a folder", got=str(folder))
    file = folder / name
    with explained(f"cannot load '{folder}': {name[:80]}", got=name):
        if not file.exists() and not file.is_symlink():
            return None
        if not file.exists():
            raise _refused(folder, name, "it is a link to nothing")
        if not file.is_file():
            raise _refused(folder, name, "it is no file")
        inside = file.resolve().is_relative_to(_root(folder.resolve()))
        if not inside and file.suffix not in LINKED:
            raise _refused(folder, name, "it is a link that leads out of the folder")
    return file


def _root(folder: Path) -> Path:
    """Return where a folder's links may lead: a snapshot of the hub's cache links to its blobs."""
    return folder.parent.parent if folder.parent.name == "snapshots" else folder


def _refused(path: str | Path, name: str, why: str) -> ModelError:
    advice = "Copy the file into the folder" if "leads out" in why else ""
    return ModelError(f"cannot load '{path}': {name[:80]!r}: {why}", advice, got=name)


def read_object(file: Path) -> dict[str, Any]:
    """Read a file that must hold a JSON object. Raises ModelError that names it."""
    problem = f"cannot read '{file}'"
    with explained(problem, got=file.name):
        data = file.read_bytes()
        check_content(file, data[:200])
        values = json.loads(data.decode("utf-8"), parse_constant=_constant)
    if not isinstance(values, dict):
        kind = "null" if values is None else type(values).__name__
        raise ModelError(f"{problem}: a JSON object is needed, got {kind}", got=kind)
    return values


def check_content(file: Path, head: bytes) -> None:
    """Refuse a file that is empty, or that Git LFS did not fetch. Raises ModelError."""
    if not head.strip():
        raise ModelError(f"cannot read '{file}': it is empty", got=file.name)
    if head.startswith(POINTER):
        raise ModelError(
            f"cannot read '{file}': it is a Git LFS pointer, not the file",
            "Type git lfs pull in the folder",
            got=file.name,
        )


def _constant(name: str) -> float:
    """Infinity bounds some models' settings; NaN is the mark of a fault."""
    if name == "NaN":
        raise ValueError("it holds NaN")
    return float(name)


def check_objects(path: str | Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read those of a folder's JSON files that are there; nothing of a hub repository.

    Raises ModelError for one that is damaged.
    """
    if not Path(path).exists():
        return {}
    files = {name: hub_file(path, name) for name in names}
    return {name: read_object(file) for name, file in files.items() if file is not None}


def weight_files(path: str | Path, names: Sequence[str], revision: str | None = None) -> list[Path]:
    """Return the files of weights: the first of `names`, or the shards of its index; [] if none.

    Raises ModelError for a damaged index, and for a shard that is missing or outside the folder.
    """
    for name in names:
        if whole := hub_file(path, name, revision):
            return [whole]
        if index := hub_file(path, f"{name}.index.json", revision):
            return _shards(path, index, revision)
    return []


def _shards(path: str | Path, index: Path, revision: str | None) -> list[Path]:
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"cannot read '{index}': its weight_map names no files", got=index.name)
    files = []
    for shard in sorted(set(map(str, shards.values()))):
        file = hub_file(path, shard, revision)
        if file is None:
            message = f"cannot load '{path}': {index.name} names {shard[:80]}: no such file"
            raise ModelError(message, got=shard)
        files.append(file)
    return files
