"""Which packages Multi-IF's checkers need, by instruction and language."""

from __future__ import annotations

from collections.abc import Mapping

from uniapl_cli.errors import UniAPLError
from uniapl_cli.verifiers.needs import INSTALL, installed

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


def missing(*modules: str) -> str:
    """Return in a line which packages are not installed, and how they are; "" if all are."""
    names = [PACKAGES[module] for module in modules if not installed(module)]
    if not names:
        return ""
    return f"needs {' and '.join(names)}: {INSTALL}"


def require(*modules: str) -> None:
    """Raise UniAPLError, with how to install them, unless all modules can be imported."""
    if problem := missing(*modules):
        raise UniAPLError(problem)
