"""The manifest of a checkpoint: the SHA-256 of each of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from uniapl_cli.reasons import reason

MANIFEST = "manifest.json"
# What is read of a checkpoint.
READ = (".safetensors", ".pt", ".json")


def sums_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the files' checksums by name."""
    return {name: _sha256(folder / name) for name in names}


def write_manifest(folder: Path, sums: Mapping[str, str]) -> None:
    """Write a folder's manifest."""
    (folder / MANIFEST).write_text(json.dumps(sums, indent=1))


def damage(folder: Path, needed: str) -> str | None:
    """Return what is wrong with a folder; it has at least the file `needed`."""
    try:
        sums = json.loads((folder / MANIFEST).read_text())
        there = {path.name for path in folder.iterdir() if path.is_file()}
        gone = sorted({*sums, needed} - there)
        if gone:
            return f"{', '.join(gone)} is missing"
        strange = sorted(name for name in there - {*sums, MANIFEST} if name.endswith(READ))
        if strange:
            return f"{', '.join(strange)} is not in its {MANIFEST}"
        wrong = [name for name in sums if _sha256(folder / name) != sums[name]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        return reason(error)
    return f"{', '.join(wrong)} changed since it was written" if wrong else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
