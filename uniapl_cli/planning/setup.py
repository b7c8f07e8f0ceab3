"""What a plan is made of, and what it says of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.tracker import Bytes
from uniapl_cli.planning.world import World
from uniapl_cli.precision import Precision, resolve
from uniapl_cli.training.adapter import Adapter
from uniapl_cli.training.optim import Optimizer
from uniapl_cli.types import Sampling

# Parts of the memory, beside the activations and the logits.
GRADIENTS, OPTIMIZER = "gradients", "optimizer"
REFERENCE, DISCRIMINATOR = "reference", "discriminator"
PACKED, CACHE = "weights for sampling", "keys and values"
# Of several ranks: weights that are whole for a while, gradients on the way to their rank.
GATHERED, SUMMED = "gathered weights", "gradients being summed"
LIBRARIES = "libraries and allocator"
# Of a CPU's memory, oneDNN's kernels keep so many bytes, and the C library so much of all that was
# freed in small pieces: 6 to 12% were measured. Of a GPU a part of the card is spared for it.
KEPT = {"cpu": 48 * 2**20}
FRAGMENTS = {"cpu": 0.08}


@dataclass(frozen=True)
class Scorer:
    """A discriminator in this process: its model, and the rows that it reads at a time.

    cached: bytes of prefixes that it keeps.
    """

    make: Callable[[], Any]
    rows: int
    width: int
    cached: int = 0


@dataclass(frozen=True)
class Setup:
    """What the memory of a run depends on.

    make: gives the policy's model, in float32. exact: whether its weights are the same in 16 bits.
    device: cpu or cuda. memory: bytes that there are for the run. state_bytes: what the optimiser
    says that its state takes for a trained weight; without an optimizer that is all. corrected:
    whether losses are corrected for another sampler. recomputed: whether the backward pass computes
    the layers' activations again. elsewhere: whether servers sample, with memory of their own.
    draws are those of all ranks of the world.
    """

    make: Callable[[], Any]
    vocabulary: int
    precision: Precision
    device: str
    memory: int
    optimizer: Callable[[Any], Optimizer] | None
    draws: tuple[Draw, ...]
    sampling: Sampling
    state_bytes: int | None = None
    adapter: Adapter | None = None
    exact: bool = True
    reference: bool = False
    corrected: bool = False
    recomputed: bool = False
    elsewhere: bool = False
    batch_tokens: int | None = None
    discriminator: Scorer | None = None
    world: World = World()

    @property
    def dtype(self) -> torch.dtype:
        """What is computed in."""
        return resolve(self.precision, self.device)

    @cached_property
    def own(self) -> tuple[Draw, ...]:
        """The draws as the busiest rank's."""
        return tuple(replace(draw, ranks=self.world.ranks) for draw in self.draws)

    @property
    def sampled(self) -> tuple[Draw, ...]:
        """The draws that are sampled, as a rank's."""
        return tuple(draw for draw in self.own if draw.prompts)


@dataclass
class Usage:
    """Bytes by part at the peak of each phase, and what the seconds and the disk depend on.

    trained, state: bytes of the trained weights and of the optimiser's state. layers, head, scorer:
    weights that a token is multiplied with, below the head, in it, and in the discriminator.
    attention: multiplications of a token with one key and its value. rows: responses that are
    decoded at a time, with `token_bytes` of keys and values a token. world: as it is resolved.
    units: bytes of the weights that are gathered together, the root's in front; reference: those of
    the frozen one. sums: of gradients over ranks, of an update, or of a pass where weights are
    sharded. host: bytes of a host's memory that hold what its cards do not.
    """

    phases: dict[str, Bytes] = field(default_factory=dict)
    parameters: int = 0
    trained: int = 0
    state: int = 0
    layers: int = 0
    head: int = 0
    attention: int = 0
    rows: int = 0
    token_bytes: int = 0
    scorer: int = 0
    world: World = World()
    units: tuple[int, ...] = ()
    sums: int = 0
    reference: int = 0
    host: int = 0

    @property
    def phase(self) -> str:
        """The phase of the peak."""
        return max(self.phases, key=lambda name: sum(self.phases[name].values()))

    @property
    def peak(self) -> int:
        """The bytes at the peak of the whole step."""
        return sum(self.phases[self.phase].values())
