"""How a launcher has started this process: torchrun, accelerate, srun. Imports no torch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uniapl_cli.errors import RunError

# By what each launcher says where a process is: rank, world, local rank, local world.
NAMES = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
)
MEETING = ("MASTER_ADDR", "MASTER_PORT")
# Where torchrun reads why a process has failed.
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


@dataclass(frozen=True)
class Place:
    """One of several processes: its number, and how many there are, in all and on this machine."""

    rank: int
    world: int
    local_rank: int = 0
    local_world: int = 1


def place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """Return this process's place, None where no launcher has said where they meet.

    A batch script of SLURM has the names of srun too, but no MASTER_ADDR unless it is meant so.
    Raises RunError for what is no place.
    """
    if any(not environment.get(name) for name in MEETING):
        return None
    for names in NAMES:
        if all(environment.get(name) for name in names[:2]):
            return _read(environment, names)
    return None


def _read(environment: Mapping[str, str], names: tuple[str, str, str, str]) -> Place:
    rank, world, local_rank, local_world = (environment.get(name, "") for name in names)
    try:
        here = Place(int(rank), int(world), int(local_rank or 0), int(local_world or 1))
    except ValueError:
        here = Place(-1, 0)
    if not 0 <= here.rank < here.world or here.local_rank < 0 or here.local_world < 1:
        given = ", ".join(f"{name}={environment.get(name)}" for name in names[:3])
        raise RunError(
            f"the launcher's numbers are none of a process: {given}",
            "Start it by torchrun, or unset them",
            got=given,
        )
    return here


def host(environment: Mapping[str, str] = os.environ) -> str:
    """Return who answers at the address where the ranks meet."""
    launched = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return "the launcher" if launched else "rank 0"


def report(message: str) -> None:
    """Tell torchrun why this process has failed, in its own form; others need not know."""
    path, seconds = os.environ.get(ERROR_FILE), str(int(time.time()))
    if path:
        told = {"message": message, "extraInfo": {"py_callstack": message, "timestamp": seconds}}
        with suppress(OSError):
            Path(path).write_text(json.dumps({"message": told}))
