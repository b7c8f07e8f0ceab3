"""All trackers of a run, from its first step to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from uniapl_cli.monitoring.follower import Follower
from uniapl_cli.monitoring.trackers.tracker import Status

log = logging.getLogger("uniapl")

# Seconds that the end of a run waits for its trackers. A signal is often followed by a kill.
WAIT: dict[Status, float] = {"finished": 60.0, "stopped": 10.0, "failed": 10.0}


class Tracking:
    """The trackers of a run, each in a thread of its own: none delays a step."""

    def __init__(self, followers: Sequence[Follower] = ()) -> None:
        self.followers = followers

    def begin(self, step: int) -> None:
        """Begin, once the run's files are those of the step that it goes on from."""
        for follower in self.followers:
            follower.begin(step)

    def check(self) -> None:
        """Say of each tracker once that it has not answered for a while."""
        for follower in self.followers:
            follower.check()

    def finish(self, status: Status) -> None:
        """Let the trackers end, and say which did not in time."""
        began = [follower for follower in self.followers if follower.thread is not None]
        for follower in began:
            follower.end(status)
        until = time.monotonic() + WAIT[status]
        for follower in began:
            with suppress(KeyboardInterrupt):  # who does not want to wait
                follower.join(max(0.0, until - time.monotonic()))


@contextmanager
def ending(tracking: Tracking) -> Iterator[Tracking]:
    """Tell the trackers at the end of the block how it ended."""
    status: Status = "failed"
    try:
        yield tracking
        status = "finished"
    except KeyboardInterrupt:
        status = "stopped"
        raise
    finally:
        tracking.finish(status)
