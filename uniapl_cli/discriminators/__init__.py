"""How close a response is to the teacher's."""

from uniapl_cli.discriminators import embedding, polar, remote, reward_model
from uniapl_cli.discriminators.coefficient import coefficient
from uniapl_cli.discriminators.discriminator import Discriminator, centred, discriminators
from uniapl_cli.discriminators.engines import engines
from uniapl_cli.discriminators.remembering import Remembering

__all__ = [
    "Discriminator",
    "Remembering",
    "centred",
    "coefficient",
    "discriminators",
    "embedding",
    "engines",
    "polar",
    "remote",
    "reward_model",
]
