"""The files that ship with the package, by their short names: `tiny:base`, `tiny:heldout` ..."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uniapl_cli.errors import ConfigError, unknown

FOLDER = Path(__file__).parent / "assets"
EXPERIMENTS = Path(__file__).parent / "experiments"
PREFIX = "tiny:"


def resolve(name: str) -> str:
    """Return the path that `tiny:NAME` stands for; any other text is returned as it is."""
    known = {path.name.removesuffix(".jsonl"): path for path in FOLDER.glob("*") if shipped(path)}
    return _resolve(name, "shipped file", known)


def resolve_experiment(name: str) -> str:
    """Return the experiment file that `tiny:NAME` stands for; any other text as it is."""
    known = {path.stem: path for path in EXPERIMENTS.glob("*.yaml")}
    return _resolve(name, "shipped experiment", known)


def _resolve(name: str, kind: str, known: Mapping[str, Path]) -> str:
    if not name.startswith(PREFIX):
        return name
    short = name.removeprefix(PREFIX)
    if short not in known:
        raise unknown(kind, short, known, ConfigError)
    return str(known[short])


def shipped(path: Path) -> bool:
    """Whether a path is a model's folder or a data file."""
    return path.is_dir() or path.suffix == ".jsonl"
