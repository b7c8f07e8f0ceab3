"""The files of analyses: figures with all that they are computed from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.files import replacing

VERSION = 1
# The kinds of analyses; each is the name of its file.
KINDS = ("lengths", "logprobs", "agreement")
# One number a response, which only the file holds.
LISTS = ("lengths", "student", "teacher", "tokens", "scores", "passed", "prompt", "ids")


def write_analysis(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write an analysis, whole or not at all, and return its file, which its kind names."""
    file = folder / f"{result['kind']}.json"
    with replacing(file) as opened:
        opened.write(json.dumps({"version": VERSION, **result}, allow_nan=False) + "\n")
    return file


def summary(result: Any) -> Any:
    """Return an analysis without its lists of one number a response."""
    if not isinstance(result, Mapping):
        return result
    return {
        name: summary(value)
        for name, value in result.items()
        if not (name in LISTS and isinstance(value, list))
    }
