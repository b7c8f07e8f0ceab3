"""Sentences and words as the official IFEval code splits them: by nltk's English punkt tables."""

from __future__ import annotations

import importlib.util
import logging
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from uniapl_cli.errors import DataError

TABLES = "tokenizers/punkt_tab/english/"
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


@dataclass(frozen=True)
class _Splitter:
    sentences: Any
    words: Any


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[str, ...]:
    """Split into sentences."""
    return tuple(_splitter().sentences.tokenize(text))


def words(text: str) -> list[str]:
    """Split into nltk's tokens: words, clitics, punctuation."""
    tokenize = _splitter().words.tokenize
    return [token for sentence in sentences(text) for token in tokenize(sentence)]


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


def _splitter() -> _Splitter:
    # The lock keeps a second thread from loading, and warning, at the same time.
    with _lock:
        return _load_splitter()


@cache
def _load_splitter() -> _Splitter:
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer

    if _find_tables() is None:
        _warn()
        return _Splitter(PunktSentenceTokenizer(), NLTKWordTokenizer())
    return _Splitter(PunktTokenizer("english"), NLTKWordTokenizer())


def _find_tables() -> str | None:
    """Find the tables in nltk's own search path, else in a package that carries them."""
    import nltk.data

    try:
        return str(nltk.data.find(TABLES))
    except LookupError:
        bundle = _bundled()
    if bundle is None:
        return None
    # nltk reads tables only from its search path. Appended last, the folder hides no other tables.
    nltk.data.path.append(str(bundle))
    return str(nltk.data.find(TABLES))


def _bundled() -> Path | None:
    """Find llama-index-core's copy of the tables without importing that package."""
    spec = importlib.util.find_spec("llama_index")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        data = Path(folder) / "core" / "_static" / "nltk_cache"
        if (data / TABLES).is_dir():
            return data
    return None
