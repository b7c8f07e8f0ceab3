"""The device that a config names, and what is computed in there."""

from __future__ import annotations

import logging

import torch

from uniapl_cli.config.schema import Config
from uniapl_cli.determinism import repeatable
from uniapl_cli.precision import in_words
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.reasons import brief

log = logging.getLogger("uniapl")


def use_device(config: Config, ranks: Ranks = ALONE) -> str:
    """Set threads and determinism, and return the device to compute on. Raises ConfigError.

    Several processes of a machine take a GPU each.
    """
    repeatable(config.run.deterministic)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    named = device_name(config)
    if ranks.local_world > 1 and named.startswith("cuda"):
        if named != "cuda":
            raise config.error(
                "run.device",
                f"'run.device' is '{named}', and {ranks.local_world} processes of this machine "
                "take a GPU each",
                "Take auto or cuda",
                got=named,
            )
        named = f"cuda:{ranks.local_rank}"
    try:
        torch.ones(1, device=named).item()  # a meta device computes nothing
    except (RuntimeError, AssertionError) as error:
        unknown = "device string" in str(error)  # with a list of all that there are anywhere
        why = "is no device" if unknown else f"cannot be used: {brief(error)}"
        raise config.error(
            "run.device",
            f"'run.device' is '{named}', which {why}",
            "Take auto, cpu or, where torch sees a GPU, cuda or cuda:1",
            got=named,
        ) from None
    return named


def announce_arithmetic(config: Config) -> None:
    """Log what is computed in, and where: when nothing is left to be refused."""
    log.info("computing in %s", arithmetic(config))


def device_name(config: Config) -> str:
    """Return the name of the device to compute on, which may not be there."""
    named = config.run.device
    if named == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return named


def arithmetic(config: Config) -> str:
    """Return in words what is computed in, and where."""
    return in_words(config.precision, device_name(config))
