"""The options of training by several processes."""

from __future__ import annotations

from functools import partial
from typing import Literal

from uniapl_cli.options import Options
from uniapl_cli.options import key as any_key

key = partial(any_key, may_change=True)

Shard = Literal["auto", "none", "full"]


class ParallelOptions(Options):
    """Several processes, as torchrun starts them, train one model; none of it changes the gradient.

    By themselves they are found in the environment: `torchrun --nproc-per-node 8 $(which uniapl)`.
    """

    shard: Shard = key(
        "auto",
        "full: each process holds a part of the weights, gradients and optimiser's state; none: "
        "all of them; auto: full where all would take more than half of a GPU",
    )
    offload: bool = key(False, "with shard=full: keep a part in the host's memory, between uses")
    timeout: float = key(
        1800.0, "seconds after which a process that does not come is given up", ge=1, le=604_800
    )
