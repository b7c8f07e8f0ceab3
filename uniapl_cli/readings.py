"""Readings: what a pass gives of each token beside its log-probability."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """Something that the vocabulary head gives of each token that counts: (B, T), 0 elsewhere.

    The pass that computes log-probabilities computes it too, with its gradient. It is a key of
    `TokenBatch.readings`, so two that are to give the same must be equal.
    """


@dataclass(frozen=True)
class Entropy(Reading):
    """The entropy of the distribution that the token was drawn from, in nats."""


@dataclass(frozen=True)
class Divergence(Reading):
    """How far the distribution of the token is from a reference's, in nats: see `divergence`.

    reference: its name. top_k: how many tokens are compared, the policy's most likely ones; None:
    all. tail: whether all other tokens are compared as if they were one; else they are left out.
    """

    reference: str
    beta: float
    top_k: int | None = None
    tail: bool = True
