"""A pass that the memory is too small for: named, and tried again at half the tokens."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch

from uniapl_cli.errors import OutOfMemory
from uniapl_cli.partition import pass_tokens
from uniapl_cli.reasons import within_memory
from uniapl_cli.tensors import Batch
from uniapl_cli.training.dealing import padded_tokens
from uniapl_cli.training.policy import Trainable

log = logging.getLogger("uniapl")

MicroBatches = Mapping[str, Sequence[Batch]]
KEY = "training.micro_batch_tokens"
T = TypeVar("T")


def passing(phase: str, source: str, micros: Sequence[Batch]) -> AbstractContextManager[None]:
    """Name the phase, and the rows and tokens of the largest micro-batch, where memory is refused.

    Within the block OutOfMemory is raised in place of the allocator's error.
    """

    def problem() -> str:
        largest = max(micros, key=padded_tokens)
        rows, tokens = len(largest.loss_mask), padded_tokens(largest)
        return f"in the {phase} of {rows:,} rows of '{source}', {tokens:,} tokens"

    return within_memory(problem, KEY)


def tried_twice(
    attempt: Callable[[MicroBatches], T],
    batches: MicroBatches,
    trainable: Trainable,
    undo: Callable[[], None],
) -> tuple[T, MicroBatches]:
    """Return attempt(batches), and the micro-batches; where memory is refused, try at half once.

    `undo` forgets what an attempt left behind; the random state is put back too. Raises OutOfMemory
    for the second attempt, and for the first where ranks hold parts of the weights: the others are
    in the middle of it.
    """
    device = trainable.device
    state = torch.get_rng_state()
    of_gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        return attempt(batches), batches
    except OutOfMemory as error:  # whose traceback holds what had been computed until now
        if trainable.ranks.sharded:
            raise
        told = error.problem
    undo()
    gc.collect()
    torch.set_rng_state(state)
    if of_gpu is not None:
        torch.cuda.set_rng_state(of_gpu, device)
        torch.cuda.empty_cache()
    log.warning("%s: trying again at half the tokens. Lower %s to be spared it", told, KEY)
    halves = {source: halved(micros, device) for source, micros in batches.items()}
    return attempt(halves), halves


def halved(micros: Sequence[Batch], device: torch.device) -> list[Batch]:
    """Return micro-batches of at most half the tokens of the largest, or of one row."""
    tokens = max(1, max(map(padded_tokens, micros), default=1) // 2)
    price = pass_tokens(device.type)
    return [part for micro in micros for part in micro.split(tokens, price)]
