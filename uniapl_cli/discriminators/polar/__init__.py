"""POLAR: its format, its scores, its official checkpoints."""

from uniapl_cli.discriminators.polar.polar import Polar, PolarDiscriminator, PolarModel, new_polar

__all__ = ["Polar", "PolarDiscriminator", "PolarModel", "new_polar"]
