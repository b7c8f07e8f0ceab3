"""When a request to a server is worth repeating, and how long to wait before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from uniapl_cli.seeding import derive

# Of the 4xx answers only these may become better by waiting: timeout, conflict, too early, too many
# requests.
TRANSIENT = (408, 409, 425, 429)
# Seconds before the first repetition; each further one waits twice as long.
FIRST_PAUSE = 0.5
# The longest pause, also where the server asks for a longer one by Retry-After.
LONGEST_PAUSE = 60.0


def is_transient(status: int) -> bool:
    """Whether an HTTP status may become better by waiting."""
    return status in TRANSIENT or status >= 500


def pause(wait: float | None, attempt: int, seed: int) -> float:
    """Return the seconds to wait before repeating a request for the `attempt`-th time.

    `wait` is what the server asks for. Without it the pause doubles with each attempt, and each
    `seed` has its own share of it: requests that failed together do not return together.
    """
    if wait is not None:
        return min(wait, LONGEST_PAUSE)
    share = 0.5 + derive(seed, "pause", attempt) / 2**64
    return share * min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks to wait: Retry-After as a number or as a date."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (date - datetime.now(UTC)).total_seconds() if date.tzinfo else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None
