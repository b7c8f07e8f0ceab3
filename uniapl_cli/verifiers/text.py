"""Sentences and words as the official IFEval code splits them: by nltk's English punkt tables.

nltk itself is not imported, which takes longer than to judge hundreds of responses.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
import zipfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers.punkt import Punkt, Tables, read_tables
from uniapl_cli.verifiers.treebank import split_words

TABLES, PACKED = "tokenizers/punkt_tab/english/", "tokenizers/punkt_tab.zip"
SYSTEM = ("share", "local/share", "lib", "local/lib")
UNTRAINED = (
    "nltk's punkt tables were not found: sentences are split untrained (3 of 884 IFEval verdicts "
    "differ); uniapl setup nltk downloads them"
)

_log = logging.getLogger("uniapl")
_lock = threading.Lock()


class Flag(Protocol):
    """A number that processes may share: multiprocessing's Value."""

    value: int

    def get_lock(self) -> AbstractContextManager[Any]:
        """Return the lock under which it is read and set."""
        ...


@dataclass
class _OwnFlag:
    value: int = 0

    def get_lock(self) -> AbstractContextManager[Any]:
        return nullcontext()


# Whether it was said that tables are missing.
_warned: Flag = _OwnFlag()


def share_warning(flag: Flag) -> None:
    """Warn of missing tables once among all processes that share `flag`, this one included."""
    global _warned
    with flag.get_lock():
        flag.value |= _warned.value
    _warned = flag


def _warn() -> None:
    with _warned.get_lock():
        if not _warned.value:
            _warned.value = 1
            _log.warning(UNTRAINED)


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[str, ...]:
    """Split into sentences."""
    return tuple(_splitter().split(text))


def words(text: str) -> list[str]:
    """Split into nltk's tokens: words, clitics, punctuation."""
    return [token for sentence in sentences(text) for token in split_words(sentence)]


def splitter_name() -> str:
    """Name the splitter in use, `punkt (path of its tables)` or `untrained`, for a run's record."""
    tables = _find_tables()
    return "untrained" if tables is None else f"punkt ({tables})"


def forget_splitter() -> None:
    """Make the next call look for the punkt tables again."""
    with _lock:
        _load_splitter.cache_clear()
        _warned.value = 0
        sentences.cache_clear()


def download_punkt(target: Path) -> None:
    """Download nltk's punkt tables to `target`, a folder of nltk's search path (NLTK_DATA).

    Raises DataError when that fails.
    """
    import nltk

    try:
        downloaded = nltk.download(
            "punkt_tab", download_dir=str(target), quiet=True, raise_on_error=True
        )
    except (ValueError, OSError) as error:
        raise DataError(f"nltk cannot download punkt_tab to {target}: {error}") from error
    if not downloaded:
        raise DataError(f"nltk cannot download punkt_tab to {target}; is there a network?")
    forget_splitter()


def _splitter() -> Punkt:
    # The lock keeps a second thread from loading, and warning, at the same time.
    with _lock:
        return _load_splitter()


@cache
def _load_splitter() -> Punkt:
    tables = _find_tables()
    if tables is None:
        _warn()
        return Punkt(Tables())
    return Punkt(read_tables(tables))


def _find_tables() -> Path | zipfile.Path | None:
    """Find the tables in nltk's own search path, else in a package that carries them."""
    for folder in (*_search_path(), _bundled()):
        if folder is None:
            continue
        if (tables := folder / TABLES).is_dir():
            return tables
        if (packed := folder / PACKED).is_file():
            return zipfile.Path(packed, "punkt_tab/english/")
    return None


def _search_path() -> list[Path]:
    """Return the folders where nltk looks for its data, without importing nltk, which is slow."""
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
    """Find llama-index-core's copy of the tables without importing that package."""
    spec = importlib.util.find_spec("llama_index")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        data = Path(folder) / "core" / "_static" / "nltk_cache"
        if (data / TABLES).is_dir():
            return data
    return None
