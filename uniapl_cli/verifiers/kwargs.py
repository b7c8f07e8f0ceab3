"""Types of instruction kwargs that say more than str and int do.

A value that the official code would replace by a random one, or fail on, is refused when the row is
read. Any other is kept, even if every response follows it or none does. Counts are pydantic's
NonNegativeInt, or PositiveInt where IFEvalG replaces 0 by a random number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from uniapl_cli.errors import DataError


def not_blank(value: Any) -> Any:
    """Refuse a blank string, an empty list, or a list with a blank string in it."""
    texts = _texts(value)
    if texts and all(text.strip() for text in texts):
        return value
    raise ValueError("is blank")


def compiles(pattern: Callable[[str], str] = str) -> AfterValidator:
    """Refuse a string (or strings) that `pattern` does not turn into a regular expression."""

    def check(value: Any) -> Any:
        """Return the text. Raises ValueError."""
        for text in _texts(value):
            try:
                re.compile(pattern(text))
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(
                    DataError(
                        f"{text!r} is not a regular expression ({error}), and IFEval takes it as "
                        "one",
                        f"Literally it is written {re.escape(text)}",
                    )
                ) from None
        return value

    return AfterValidator(check)


Text = Annotated[str, AfterValidator(not_blank)]
Texts = Annotated[Sequence[str], AfterValidator(not_blank)]
TextOrTexts = Annotated[str | Sequence[str], AfterValidator(not_blank)]
Keyword = Annotated[Text, compiles(str.strip)]


def first_text(value: str | Sequence[str]) -> str:
    """Return the text, stripped; of a list the first one, as the official code takes it."""
    return (value if isinstance(value, str) else value[0]).strip()


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
