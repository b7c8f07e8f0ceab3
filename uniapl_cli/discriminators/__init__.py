"""How close a response is to the teacher's."""

from uniapl_cli.discriminators import polar
from uniapl_cli.discriminators.coefficient import coefficient
from uniapl_cli.discriminators.discriminator import Discriminator, discriminators

__all__ = ["Discriminator", "coefficient", "discriminators", "polar"]
