"""Where the processes of a launcher meet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from uniapl_cli.errors import RunError, first_line
from uniapl_cli.ranks.calls import Calls
from uniapl_cli.ranks.failures import named
from uniapl_cli.ranks.launch import Place

T = TypeVar("T")

# Seconds for all ranks to start: they import the same libraries from the same disk.
JOIN = 600.0
# The group that objects go through waits no shorter than any timeout of ours.
LONGEST = timedelta(days=8)
# Seconds between two looks whether all are here, and at whether a signal has come.
LOOK = 0.1
# How often torchrun has started all ranks again. What they said before is still in its store.
ATTEMPT = "TORCHELASTIC_RESTART_COUNT"


def meet(here: Place, calls: Calls) -> Any:
    """Return the store that all ranks read and write, once all are here.

    Raises RunError where it cannot be reached, and for ranks that do not come; a signal is heard.
    """
    try:
        meeting = calls.begin(lambda: next(_of(here)))
        while not meeting.done():
            time.sleep(LOOK)
        found, _, _ = meeting.result()
        store = PrefixStore(f"uniapl-{os.environ.get(ATTEMPT, '0')}", found)
        store.set(f"here/{here.rank}", "")
        names = [f"here/{rank}" for rank in range(here.world)]
        if not _until(lambda: store.check(names)):
            late = [rank for rank, name in enumerate(names) if not store.check([name])]
            raise RunError(
                f"{named(late)} of {here.world} did not start within {JOIN:.0f} s",
                "Start as many processes as the launcher was told",
                got=late,
            )
    except RuntimeError as error:
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise RunError(
            f"the ranks' meeting place {address} cannot be reached: {first_line(error)}",
            "See that the launcher runs, and that the address is right",
            got=address,
        ) from None
    return store


def _of(here: Place) -> Any:
    return rendezvous("env://", here.rank, here.world, timeout=timedelta(seconds=JOIN))


def _until(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + JOIN
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK)
    return True


def make_group(here: Place, store: Any) -> None:
    """Make the group that objects go through."""
    dist.init_process_group(
        "gloo",
        store=PrefixStore("objects", store),
        rank=here.rank,
        world_size=here.world,
        timeout=LONGEST,
    )
