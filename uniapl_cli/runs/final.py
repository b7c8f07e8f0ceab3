"""Whether a run's final model is whole, told by its files' names and sizes."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def damage(folder: Path) -> str | None:
    """Return what is wrong with a saved model, None if it is whole.

    Files that are missing, cut short or no weights are found; a changed number is not.
    """
    for name in ("config.json", *_weights(folder)):
        path = folder / name
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            else:
                # Reads the header alone, and compares it with the file's size.
                with safe_open(path, framework="numpy"):
                    pass
        except FileNotFoundError:
            return f"'{path}' is missing"
        except (OSError, ValueError, RecursionError, SafetensorError):
            return f"'{path}' is damaged"
    return None


def _weights(folder: Path) -> list[str]:
    """Return the names of the files with the weights: one, or an index and its shards."""
    if not (folder / INDEX).exists() or (folder / WEIGHTS).exists():
        return [WEIGHTS]
    try:
        shards = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        return [INDEX, *sorted({str(name) for name in shards})]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return [WEIGHTS]
