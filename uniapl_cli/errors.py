"""Errors that a user can mend, each one line: what was got, what is allowed, what to type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

# More names than this are not listed where one of them is likely to be meant.
SHOWN = 24
# What messages leave out of the paths of the program's own files, and say instead.
_PACKAGED = {
    f"{Path(__file__).parent}/tiny/assets/": "tiny:",
    f"{Path(__file__).parent}/tiny/experiments/": "tiny:",
    f"{Path(__file__).parent}/": "",
}
_LOCATION = re.compile(r"(?P<file>.+?):(?:(?P<line>\d+)(?::\d+)?|\[(?P<row>\d+)\])", re.DOTALL)


# Secrets of the present config, which no message repeats.
_SECRETS: set[str] = set()
# Shorter texts would be hidden where they merely occur.
_SECRET_LENGTH = 6


def keep_secret(texts: Iterable[str]) -> None:
    """Leave these texts out of all messages from now on."""
    _SECRETS.update(text for text in texts if len(text) >= _SECRET_LENGTH)


def without_secrets(message: str) -> str:
    """Return a message with `(hidden)` in place of every secret."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        message = message.replace(secret, "(hidden)")
    return message


class UniAPLError(Exception):
    """An error that the user can mend; the command line exits with 2.

    `problem` says what is wrong, `advice` what to do. The rest is for programs, and for the text,
    which begins with `where`, and with `key` where nothing else in it names that: `where` is the
    place, `file:line`, `file:[row]` or another; `key` the config's key; `got` what was there;
    `allowed` the names that may be; `suggestion` the one that was probably meant.
    """

    def __init__(
        self,
        problem: str,
        advice: str = "",
        *,
        where: str | None = None,
        key: str | None = None,
        got: Any = None,
        allowed: Sequence[str] = (),
        suggestion: str | None = None,
    ) -> None:
        super().__init__(problem, advice)
        self.problem, self.advice = problem, advice
        self.where, self.key = where, key
        self.got, self.allowed, self.suggestion = got, tuple(allowed), suggestion

    @property
    def file(self) -> str | None:
        """The file that the mistake is in."""
        match = _LOCATION.fullmatch(self.where or "")
        return match["file"] if match else None

    @property
    def line(self) -> int | None:
        """The line of the file, from 1; in a table without lines, the row, from 0."""
        match = _LOCATION.fullmatch(self.where or "")
        return int(match["line"] or match["row"]) if match else None

    def at(self, where: str | None = None, key: str | None = None) -> Self:
        """Set `where` and `key` if they are not set, and return the error."""
        self.key = key if self.key is None else self.key
        self.where = where if self.where is None else self.where
        return self

    def __str__(self) -> str:
        hint = f" Did you mean '{self.suggestion}'?" if self.suggestion else ""
        advice = f" {self.advice}" if self.advice else ""
        stop = "." if (hint or advice) and self.problem[-1:] not in ".?!" else ""
        text = f"{self.problem}{stop}{hint}{advice}"
        if self.key and not _names(self.key, f"{self.problem} {advice} {self.where}"):
            text = f"{self.key}: {text}"
        text = f"{self.where}: {text}" if self.where else text
        for path, shown in _PACKAGED.items():
            text = text.replace(path, shown)
        return without_secrets(" ".join(text.splitlines()))


class ConfigError(UniAPLError):
    """The experiment file, its includes or an override is wrong."""


class DataError(UniAPLError):
    """A row or a file of data is wrong; `where` is `file:line`."""


class ModelError(UniAPLError):
    """A model, tokenizer or discriminator cannot be loaded or does not fit the task."""


class ServerError(ModelError):
    """A server that training needs stays away, or does not answer as it must.

    The run is whole: repeated when the server is well, the same command goes on from there.
    """


class TeacherError(UniAPLError):
    """The teacher cannot be asked, or has no answer to a prompt."""


class RunError(UniAPLError):
    """A run directory cannot be created, resumed or written."""


class TrainingError(UniAPLError):
    """Training cannot go on: a non-finite gradient, or nothing left to learn from."""


class OutOfMemory(UniAPLError):
    """The memory is too small for what was to be computed at a time."""


def _names(key: str, text: str) -> bool:
    """Whether a text names exactly this key, not a longer one."""
    return re.search(rf"(?<![\w.]){re.escape(key)}(?!\.?[\w\[])", text) is not None


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the known name that `name` was most likely meant to be, or None."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


E = TypeVar("E", bound=UniAPLError)


def unknown(
    kind: str,
    name: str,
    known: Iterable[str],
    error: type[E] = UniAPLError,  # type: ignore[assignment]
) -> E:
    """Return the error that `name` is no known `kind`: the nearest, and all if they are few."""
    allowed = sorted(known)
    guess = nearest(name, allowed)
    listed = f"Known: {', '.join(allowed) or '(none)'}"
    if guess and len(allowed) > SHOWN:
        listed = f"({len(allowed)} are known)"
    return error(f"unknown {kind} '{name}'", listed, got=name, allowed=allowed, suggestion=guess)


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, or its class name if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
