"""Joins the other processes of a launcher, and says who talks. Imports torch only to join."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from uniapl_cli.errors import RunError
from uniapl_cli.ranks.failures import Failure
from uniapl_cli.ranks.launch import place
from uniapl_cli.ranks.launch import report as report
from uniapl_cli.ranks.ranks import ALONE, Ranks
from uniapl_cli.runs.console import be_quiet, messages

# Seconds that others leave the first rank to refuse: the launcher ends it as soon as one has ended.
PATIENCE = 5.0


def placed() -> bool:
    """Whether a launcher has started this process as one of several."""
    here = place()
    return here is not None and here.world > 1


@contextmanager
def joined(several: bool, said: Callable[[BaseException], str | None]) -> Iterator[Ranks]:
    """Join the others while the block runs, where a launcher has started this as one of them.

    several: whether what runs in the block can be done by several. said: returns what is said of an
    error; None of a bug. All but the first are quiet, unless that is gone.
    Raises RunError where it cannot, and for ranks that do not start.
    """
    here = place()
    if here is None or (here.world == 1 and not several):
        yield ALONE
        return
    if not several:
        be_quiet(here.rank > 0)
        if here.rank > 0:
            with suppress(KeyboardInterrupt):  # the launcher has heard from the first one
                time.sleep(PATIENCE)
        raise RunError(
            f"this command is done by one process, and a launcher has started {here.world}",
            "Type it without torchrun; train and pretrain-polar are for several",
            got=here.world,
        )
    from uniapl_cli.ranks.together import Together

    together = Together(here, said, _ends)
    be_quiet(here.rank > 0)
    with together as ranks:
        yield ranks


def _ends(failure: Failure) -> None:
    """Say why this rank ends although it is still busy."""
    report(failure.message)
    messages.print(f"error: {failure.message}", soft_wrap=True)
