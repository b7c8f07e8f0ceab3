"""The files that ship with the package, by their short names: `tiny:base`, `tiny:heldout` ..."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.errors import ConfigError, unknown

FOLDER = Path(__file__).parent / "assets"
PREFIX = "tiny:"


def resolve(name: str) -> str:
    """Return the path that `tiny:NAME` stands for; any other text is returned as it is."""
    if not name.startswith(PREFIX):
        return name
    short = name.removeprefix(PREFIX)
    known = {path.name.removesuffix(".jsonl"): path for path in FOLDER.glob("*") if shipped(path)}
    if short not in known:
        raise unknown("shipped file", short, known, ConfigError)
    return str(known[short])


def shipped(path: Path) -> bool:
    """Whether a path is a model's folder or a data file."""
    return path.is_dir() or path.suffix == ".jsonl"
