"""Checks of kwargs beyond their types: each returns why the kwargs mean nothing, or None.

What the official code would replace by a random draw, or fail on, is refused here, when the row is
read. What it takes as given is kept, even where every response follows it or none does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from uniapl_cli.verifiers.instructions import Check


def not_negative(kwargs: Mapping[str, Any]) -> str | None:
    """Refuse counts below zero."""
    for name, value in kwargs.items():
        if isinstance(value, int) and value < 0:
            return f"{name} = {value} is negative"
    return None


def positive(kwargs: Mapping[str, Any]) -> str | None:
    """Refuse counts and places below one: IFEvalG draws another number in the place of 0."""
    for name, value in kwargs.items():
        if isinstance(value, int) and value < 1:
            return f"{name} = {value} is not at least 1"
    return None


def not_blank(name: str) -> Check:
    """Refuse a blank string, an empty list, or a list with a blank string in it."""

    def check(kwargs: Mapping[str, Any]) -> str | None:
        texts = _texts(kwargs[name])
        if texts and all(text.strip() for text in texts):
            return None
        return f"{name} = {kwargs[name]!r} is blank"

    return check


def compiles(name: str, pattern: Callable[[str], str] = str) -> Check:
    """Refuse a string (or strings) of which `pattern` makes no regular expression."""

    def check(kwargs: Mapping[str, Any]) -> str | None:
        for text in _texts(kwargs[name]):
            try:
                re.compile(pattern(text))
            except (re.error, OverflowError, RecursionError) as error:
                return (
                    f"{name} {text!r} is not a regular expression ({error}), and IFEval takes it "
                    f"as one. Literally it is written {re.escape(text)}"
                )
        return None

    return check


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
