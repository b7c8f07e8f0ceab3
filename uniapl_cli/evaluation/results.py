"""Writes eval.json, the file of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.files import replacing

VERSION = 2
NAME, RESPONSES = "eval.json", "responses.jsonl"


def write_evaluation(folder: Path, result: Mapping[str, Any]) -> None:
    """Write what was measured, with the version of the file's format."""
    with replacing(folder / NAME) as file:
        file.write(json.dumps({"version": VERSION, **result}, indent=1))
