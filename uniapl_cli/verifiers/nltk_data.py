"""Finds nltk's data without importing nltk, which takes longer than to judge hundreds of responses.

Names are nltk's own: "corpora/stopwords/english", and "tokenizers/punkt_tab/english/" of a folder.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path

from uniapl_cli.errors import DataError

SYSTEM = ("share", "local/share", "lib", "local/lib")
# What verifiers read of it: how sentences are split, stop words, the tags of words.
NEEDED = ("punkt_tab", "stopwords", "averaged_perceptron_tagger_eng")


def find(name: str) -> Path | zipfile.Path | None:
    """Find a file or folder in nltk's own search path, else in a package that carries it."""
    kind, package, inside = name.split("/", 2)
    for folder in (*_search_path(), _bundled()):
        if folder is None:
            continue
        if (found := folder / name).exists():
            return found
        if (packed := folder / kind / f"{package}.zip").is_file():
            return zipfile.Path(packed, f"{package}/{inside}")
    return None


def download(target: Path) -> None:
    """Download what is NEEDED to `target`, a folder of nltk's search path (NLTK_DATA).

    Raises DataError when that fails.
    """
    import nltk

    for name in NEEDED:
        try:
            downloaded = nltk.download(
                name, download_dir=str(target), quiet=True, raise_on_error=True
            )
        except (ValueError, OSError) as error:
            raise DataError(f"nltk cannot download {name} to {target}: {error}") from error
        if not downloaded:
            raise DataError(f"nltk cannot download {name} to {target}; is there a network?")


def _search_path() -> list[Path]:
    if "nltk.data" in sys.modules:
        return [Path(folder) for folder in sys.modules["nltk.data"].path]
    named = os.environ.get("NLTK_DATA", "").split(os.pathsep)
    installed = [Path(sys.prefix, part, "nltk_data") for part in ("", "share", "lib")]
    shared = [Path(f"/usr/{part}/nltk_data") for part in SYSTEM]
    return [*(Path(n).expanduser() for n in named if n), *_home(), *installed, *shared]


def _home() -> list[Path]:
    try:
        return [Path.home() / "nltk_data"]
    except RuntimeError:  # as in a container whose user has none
        return []


def _bundled() -> Path | None:
    """Find llama-index-core's copy of the data without importing that package."""
    spec = importlib.util.find_spec("llama_index")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        data = Path(folder) / "core" / "_static" / "nltk_cache"
        if data.is_dir():
            return data
    return None
