"""How close a response is to the teacher's."""

from uniapl_cli.discriminators import embedding, polar, remote, reward_model
from uniapl_cli.discriminators.cached import CachedDiscriminator
from uniapl_cli.discriminators.coefficient import coefficient
from uniapl_cli.discriminators.discriminator import (
    Discriminator,
    DiscriminatorOptions,
    centred,
    discriminators,
)
from uniapl_cli.discriminators.engines import engines

__all__ = [
    "CachedDiscriminator",
    "Discriminator",
    "DiscriminatorOptions",
    "centred",
    "coefficient",
    "discriminators",
    "embedding",
    "engines",
    "polar",
    "remote",
    "reward_model",
]
