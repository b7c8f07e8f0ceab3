"""Prompts to sampled responses."""

from uniapl_cli.generation import local
from uniapl_cli.generation.generator import Generator, Request, generators

__all__ = ["Generator", "Request", "generators", "local"]
