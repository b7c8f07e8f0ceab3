"""Marks: what IFBench takes for punctuation, which is that of ASCII only."""

from __future__ import annotations

import string

# What is stripped off both ends of a word.
EDGES = string.punctuation + " "
_DELETED = str.maketrans("", "", string.punctuation)


def without_marks(text: str) -> str:
    """Return a text without its marks; "don't" becomes "dont"."""
    return text.translate(_DELETED)
