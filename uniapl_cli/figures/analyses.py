"""Reads what `uniapl analyse` wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.analysis.results import VERSION
from uniapl_cli.errors import DataError
from uniapl_cli.files import is_number, parse_json


def read_analysis(path: Path, kind: str) -> dict[str, Any]:
    """Return an analysis from its file, or from the folder that it was written into.

    Raises DataError, also for a file of another kind or version.
    """
    file = path / f"{kind}.json" if path.is_dir() else path
    try:
        result = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read '{file}': {error.strerror}", got=str(file)) from None
    except (ValueError, RecursionError):
        result = None
    advice = f"Make it with uniapl analyse {kind}"
    found = result.get("kind") if isinstance(result, dict) else None
    if found != kind:
        what = f"is an analysis of {found}" if isinstance(found, str) else "is no analysis"
        problem = f"'{file}' {what}; one of {kind} is needed"
        raise DataError(problem, advice, got=found or str(file), allowed=[kind])
    if (version := result.get("version")) != VERSION:
        problem = f"'{file}' is of version {version}, and this uniapl reads {VERSION}"
        raise DataError(problem, advice, got=version, allowed=[str(VERSION)])
    return {**result, "file": str(file)}


def numbers(analysis: Mapping[str, Any], *keys: str) -> list[float]:
    """Return the list of numbers at keys inside each other; NaN for what is none there.

    Raises DataError where there is no list.
    """
    found = _at(analysis, keys)
    if not isinstance(found, list) or not found:
        raise _damaged(analysis, keys)
    return [float(value) if is_number(value) else math.nan for value in found]


def models(analysis: Mapping[str, Any]) -> list[str]:
    """Return the names of the models. Raises DataError if there are none."""
    found = _at(analysis, ["models"])
    if not isinstance(found, dict) or not found:
        raise _damaged(analysis, ["models"])
    return list(found)


def value(analysis: Mapping[str, Any], keys: Sequence[str]) -> float | None:
    """Return the number at keys inside each other, None where there is none."""
    found = _at(analysis, keys)
    return found if is_number(found) else None


def interval(
    analysis: Mapping[str, Any], keys: Sequence[str], name: str
) -> tuple[float, float | None, float | None] | None:
    """Return a value and its interval's ends, None where there are none."""
    middle = value(analysis, [*keys, name])
    low, high = (value(analysis, [*keys, end]) for end in ("low", "high"))
    return None if middle is None else (middle, low, high)


def _at(analysis: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found: Any = analysis
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _damaged(analysis: Mapping[str, Any], keys: Sequence[str]) -> DataError:
    problem = f"'{analysis['file']}' is not whole: no {'/'.join(keys)}"
    return DataError(problem, f"Make it with uniapl analyse {analysis['kind']}", got=list(keys))
