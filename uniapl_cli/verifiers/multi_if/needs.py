"""Which packages Multi-IF's checkers need, by instruction and language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

from uniapl_cli.errors import UniAPLError

# A module to the name that pip knows it by.
PACKAGES: Mapping[str, str] = {
    "pythainlp": "pythainlp",
    "pycrfsuite": "python-crfsuite",
    "emoji": "emoji",
}
# A checker and the language, as Multi-IF names it, of a response, to modules.
NEEDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("multi_if:number_words", "Thai"): ("pythainlp",),
    ("multi_if:number_sentences", "Thai"): ("pythainlp", "pycrfsuite"),
    ("multi_if:number_words", "Chinese"): ("emoji",),
}


@cache
def installed(module: str) -> bool:
    """Whether a module can be imported; it is not."""
    return find_spec(module) is not None


def missing(*modules: str) -> str:
    """Return in a line which packages are not installed, and how they are; "" if all are."""
    names = [PACKAGES[module] for module in modules if not installed(module)]
    if not names:
        return ""
    return f"needs {' and '.join(names)}: pip install 'uniapl[eval]'"


def require(*modules: str) -> None:
    """Raise UniAPLError, with how to install them, unless all modules can be imported."""
    if problem := missing(*modules):
        raise UniAPLError(problem)
