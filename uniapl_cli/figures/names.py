"""Names of users' files and runs, as a figure can show them."""

from __future__ import annotations

import re

# What XML cannot hold, and the halves of surrogate pairs that stand for bytes of odd file names.
_UNSHOWABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LONGEST = 48


def legible(name: str) -> str:
    """Return a name on one line, with a replacement for what no text can show."""
    return " ".join(_UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", name).split())


def shortened(name: str, most: int = LONGEST) -> str:
    """Return a name as it is shown; of a long one the middle is left out."""
    name = legible(name)
    if len(name) <= most:
        return name
    kept = most - 1
    return f"{name[: kept - kept // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - kept // 2 :]}"
