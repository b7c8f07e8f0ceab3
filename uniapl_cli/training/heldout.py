"""Losses on batches that nothing is learnt from, and the run as it was before they were taken."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from uniapl_cli.rewards.reference import Reference
from uniapl_cli.statistic import Statistic
from uniapl_cli.tensors import Batch
from uniapl_cli.training.accumulate import joined, prepare
from uniapl_cli.training.policy import Trainable
from uniapl_cli.training.retry import MicroBatches, passing, tried_twice
from uniapl_cli.training.terms import Term


@contextmanager
def undisturbed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Compute in evaluation mode, and leave modes and global random states as they were."""
    modes = {part: part.training for part in model.modules()}
    states: Any = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            model.eval()
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        random.setstate(states[0])
        np.random.set_state(states[1])


@torch.no_grad()
def held_out_means(
    trainable: Trainable,
    term: Term,
    batches: Iterable[Batch],
    micro_batch_tokens: int,
    reference: Reference | None = None,
) -> dict[str, Statistic]:
    """Return a term's loss, as `loss`, and its objective's metrics, over all batches and ranks.

    Neither the split into batches nor `micro_batch_tokens` changes them, but for rounding, where
    the term is reduced by tokens.
    """
    means: dict[str, Statistic] = {}
    tokens = {term.source: micro_batch_tokens}

    def attempt(micros: MicroBatches) -> list[dict[str, Statistic]]:
        return [_means(trainable, term, micro) for micro in micros[term.source]]

    for batch in batches:
        micros = prepare(trainable, [term], {term.source: batch}, tokens, reference)
        found, _ = tried_twice(attempt, micros, trainable, undo=lambda: None)
        for name, mean in (item for one in found for item in one.items()):
            means[name] = means[name] + mean if name in means else mean
    return joined(trainable.ranks, means)


def _means(trainable: Trainable, term: Term, micro: Batch) -> dict[str, Statistic]:
    with passing("forward pass of validation", term.source, [micro]):
        loss, metrics = term.loss(trainable.forward(micro.model_input()), micro)
    return {name: s.each(Tensor.double) for name, s in {"loss": loss, **metrics}.items()}
