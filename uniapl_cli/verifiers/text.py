"""Sentences and words as the official IFEval code splits them: by nltk's English punkt tables."""

from __future__ import annotations

import logging
import threading
import zipfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from uniapl_cli.verifiers import nltk_data
from uniapl_cli.verifiers.punkt import Punkt, Tables, read_tables
from uniapl_cli.verifiers.treebank import split_words

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


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[str, ...]:
    """Split into sentences."""
    return tuple(_splitter().split(text))


def words(text: str) -> list[str]:
    """Split into nltk's tokens: words, clitics, punctuation."""
    split = sentences(text)
    # Equal ones once: in a response that loops, almost all are.
    tokens = {sentence: split_words(sentence) for sentence in set(split)}
    return [token for sentence in split for token in tokens[sentence]]


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
    return nltk_data.find(TABLES)
