"""Why a rank's work with the others has failed."""

from __future__ import annotations

import signal

from uniapl_cli.ranks.failures import RankFailed, RanksLost, as_error, is_broken, is_same, named
from uniapl_cli.ranks.watch import Watch
from uniapl_cli.runs.signals import Stopped, deaf

REPEAT = "Repeat the command: it goes on from the newest checkpoint"


class Inquest:
    """Finds out, through the watch, who is to blame. place: what this rank is at, and which step.

    timeout: the seconds that ranks are waited for.
    """

    def __init__(self, watch: Watch, place: str, timeout: float) -> None:
        self.watch, self.place, self.timeout = watch, place, timeout

    def lost(self, error: BaseException | None = None) -> BaseException:
        """Return why a call to the others has failed: what one of them has told, or who is gone.

        error: what the call has raised.
        """
        if (failure := self.watch.heard()) is not None:
            return as_error(failure)
        self.watch.give_up()
        with deaf():  # to the launcher, which ends this rank for the other's sake
            gone = self.watch.silent()
            if (failure := self.watch.heard()) is not None:
                return as_error(failure)
        if "imed out" in str(error) and (missing := gone or self.watch.waited_for()):
            return self._late(missing)
        if gone:
            have = "has" if len(gone) == 1 else "have"
            problem = f"{named(gone)} {have} ended, in {self.place}"
            return RanksLost(problem, REPEAT, got=gone)
        problem = f"the connection to another rank broke, in {self.place} ({error})"
        return RanksLost(problem, REPEAT, got=[])

    def late(self, round_: int) -> RanksLost:
        """Return the error that ranks have not come for the `round_`-th time, with their last."""
        behind = self.watch.behind(round_)
        where = "; ".join(f"{named([rank])} was last at {last}" for rank, last in behind.items())
        return self._late(list(behind), f" ({where})" if where else "")

    def _late(self, missing: list[int], where: str = "") -> RanksLost:
        return RanksLost(
            f"{named(missing)} did not come to {self.place} within "
            f"parallel.timeout = {self.timeout:g} s{where}",
            "Raise parallel.timeout if that takes longer; the same command goes on from the newest "
            "checkpoint",
            got=missing,
        )

    def cause(self, error: BaseException, said: str | None) -> BaseException:
        """Return what ended this rank: another's failure, where it may be due to that.

        said: what this rank says of `error`; None of a bug.
        """
        unnamed = isinstance(error, RanksLost) and not error.got
        if isinstance(error, (RanksLost, RankFailed)) and not unnamed:
            return error
        broken = unnamed or is_broken(error)
        failure = self.watch.heard()
        if failure is not None and (broken or not failure.stopped):
            return error if is_same(failure, said) else as_error(failure)
        if broken:
            return self.lost(error)
        if isinstance(error, Stopped) and error.number == signal.SIGTERM:
            # The launcher sends it where a rank is gone: is one?
            found = self.lost()
            return found if isinstance(found, RankFailed) or self.watch.gone else error
        return error
