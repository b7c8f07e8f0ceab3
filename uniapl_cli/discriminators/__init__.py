"""Discriminators: how close a response is to the teacher's."""

from uniapl_cli.discriminators import embedding, polar, remote, reward_model
from uniapl_cli.discriminators.anchor import AnchorScores, anchor_scores, coefficient, compare
from uniapl_cli.discriminators.cached import CachedDiscriminator
from uniapl_cli.discriminators.discriminator import (
    Discriminator,
    DiscriminatorOptions,
    discriminators,
)
from uniapl_cli.discriminators.remote import engines

__all__ = [
    "AnchorScores",
    "CachedDiscriminator",
    "Discriminator",
    "DiscriminatorOptions",
    "anchor_scores",
    "coefficient",
    "compare",
    "discriminators",
    "embedding",
    "engines",
    "polar",
    "remote",
    "reward_model",
]
