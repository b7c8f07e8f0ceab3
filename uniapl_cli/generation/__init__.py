"""Prompts to sampled responses."""

from uniapl_cli.generation import local
from uniapl_cli.generation.generator import Generator, Request, generators
from uniapl_cli.generation.served import vllm

__all__ = ["Generator", "Request", "generators", "local", "vllm"]
