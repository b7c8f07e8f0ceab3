"""Several processes that train one model: what the config says of them."""

from __future__ import annotations

import logging
import math

import torch
import transformers

from uniapl_cli.commands.device import use_device
from uniapl_cli.commands.updating import state_bytes
from uniapl_cli.config.schema import Config
from uniapl_cli.loading import policy_class, read_model_config
from uniapl_cli.loading.weights import read_headers
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.ranks.sharding_rule import bytes_to_train, resolve_shard

log = logging.getLogger("uniapl")


def together(ranks: Ranks, config: Config, location: str) -> str:
    """Have the ranks meet on their devices, as the section `parallel` says, and say how many.

    Returns this one's device. Raises ConfigError.
    """
    device = use_device(config, ranks)
    if ranks is ALONE:
        return device
    sharded = is_sharded(ranks, config, location, device)
    exact = config.training.exact_sums
    ranks.configure(device, config.parallel, sharded=sharded, exact=exact)
    how = "each holds a part of the weights" if sharded else "each holds all weights"
    log.info("%d processes train together: %s", ranks.world, how)
    return device


def is_sharded(ranks: Ranks, config: Config, location: str, device: str) -> bool:
    """Whether each rank is to hold a part of the weights only; all find the same."""
    shard = config.parallel.shard
    if shard != "auto" or not device.startswith("cuda"):
        return shard == "full"  # also of one process that a launcher has started
    state = state_bytes(config) or 8
    numbers = parameters(config, location)
    frozen = config.model.adapter is not None
    needed = bytes_to_train(0, 4 * numbers, 0) if frozen else bytes_to_train(numbers, 0, state)
    room = torch.cuda.get_device_properties(device).total_memory
    return all(ranks.gather(resolve_shard(shard, needed, room, ranks.world) == "full", "the start"))


def parameters(config: Config, location: str) -> int:
    """Return how many weights a model has; of one that is not here yet, by its config."""
    headers = read_headers(location)
    if headers:
        return sum(math.prod(header.shape) for header in headers.values())
    revision = config.model.revision
    kind = getattr(transformers, policy_class(location, revision))
    with torch.device("meta"):
        model = kind.from_config(read_model_config(location, revision))
    return sum(weight.numel() for weight in model.parameters())
