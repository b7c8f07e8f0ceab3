"""Mistakes a user can mend. Each is one line: what was got, what is allowed, what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# More names than this are not listed where one of them is likely to be meant.
SHOWN = 24


class UniAPLError(Exception):
    """A mistake that the person at the keyboard can mend; the command line exits 2 on it."""


class ConfigError(UniAPLError):
    """The experiment file, its includes or an override is wrong."""


class DataError(UniAPLError):
    """A row or a file of data is wrong; the message starts with `file:line`."""


class ModelError(UniAPLError):
    """A model, tokenizer or discriminator cannot be loaded or does not fit the task."""


class TeacherError(UniAPLError):
    """The teacher cannot be asked, or has no answer to a prompt."""


class RunError(UniAPLError):
    """A run directory cannot be created, resumed or written."""


class TrainingError(UniAPLError):
    """Training cannot go on: a non-finite gradient, or nothing left to learn from."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was most likely meant to be, or None."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that `name` is no known `kind`: name the nearest, and all there are if they are few."""
    known = sorted(known)
    guess = nearest(name, known)
    hint = f" Did you mean '{guess}'?" if guess else ""
    if guess and len(known) > SHOWN:
        return f"unknown {kind} '{name}'.{hint} ({len(known)} are known)"
    return f"unknown {kind} '{name}'.{hint} Known: {', '.join(known) or '(none)'}"
