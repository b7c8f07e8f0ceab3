"""Prompts to sampled responses."""

from uniapl_cli.generation import local
from uniapl_cli.generation.generator import Generator, Progress, Request, generators

__all__ = ["Generator", "Progress", "Request", "generators", "local"]
