"""Several processes that train one model: what the config says of them."""

from __future__ import annotations

import logging

from uniapl_cli.config.schema import Config
from uniapl_cli.ranks import Ranks

log = logging.getLogger("uniapl")


def together(ranks: Ranks, config: Config, location: str, device: str) -> None:
    """Have the ranks meet on their devices, as the section `parallel` says, and say how many."""
    if ranks.world == 1:
        return
    ranks.configure(device, config.parallel)
    log.info("%d processes train together", ranks.world)
