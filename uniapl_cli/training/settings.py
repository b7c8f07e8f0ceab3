"""How many steps a run makes, and how each updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import NonNegativeInt, PositiveFloat

from uniapl_cli.options import MISSING, Count, Options, key
from uniapl_cli.training.schedules import Schedule
from uniapl_cli.training.updates import Update


class Training(Options):
    """How many steps, and how each updates. `micro_batch_tokens` does not change the gradient."""

    # Checkpoints are named by eight digits.
    steps: int = key(MISSING, "optimiser steps", ge=1, le=99_999_999)
    micro_batch_tokens: Count | None = key(
        None,
        "tokens a forward pass, padding included; a longer row is a pass of its own; null: "
        "1,024 on a CPU, 8,192 on a GPU",
        may_change=True,
    )
    checkpoint_activations: bool = key(
        False,
        "keep the inputs of layers alone, and compute each again to go back through it: a third "
        "more time, a fraction of the memory",
        may_change=True,
    )
    num_iterations: int = key(
        1, "updates a step makes from its batches (PPO's epochs)", ge=1, le=1000
    )
    max_grad_norm: PositiveFloat = key(1.0, "gradients are scaled down to this norm")
    exact_sums: bool = key(
        False,
        "add gradients up in float64, so that the number of processes changes no bit; 8 more bytes "
        "a trained weight",
        may_change=True,
    )
    max_idle_updates: NonNegativeInt = key(
        50, "steps in a row with a gradient of 0 after which a run stops and says why; 0: never"
    )


@dataclass(frozen=True)
class Settings:
    """The loop's options. micro_batch_tokens: padded tokens a forward pass, by source.

    updates: those of a step; none: one of all terms.
    """

    steps: int
    lr: Schedule
    micro_batch_tokens: Mapping[str, int]
    max_grad_norm: float
    save_every: int
    num_iterations: int = 1
    max_idle_updates: int = 0
    gradients_every: int = 0
    exact_sums: bool = False
    updates: Sequence[Update] = ()
