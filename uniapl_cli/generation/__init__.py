"""Prompts to sampled responses."""

from uniapl_cli.generation import local
from uniapl_cli.generation.dialects import dialects
from uniapl_cli.generation.generator import Generator, Request, generators
from uniapl_cli.generation.server import Server, ServerTeacher, server_key
from uniapl_cli.generation.teacher import Answer, Failure, LocalTeacher, Question, Teacher

__all__ = [
    "Answer",
    "Failure",
    "Generator",
    "LocalTeacher",
    "Question",
    "Request",
    "Server",
    "ServerTeacher",
    "Teacher",
    "dialects",
    "generators",
    "local",
    "server_key",
]
