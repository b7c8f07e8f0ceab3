"""Prompts to sampled responses."""

from uniapl_cli.generation import local
from uniapl_cli.generation.dialects import dialects
from uniapl_cli.generation.generator import Generator, Request, generators
from uniapl_cli.generation.server import ServerTeacher
from uniapl_cli.generation.teacher import Answer, Failure, LocalTeacher, Question, Teacher

__all__ = [
    "Answer",
    "Failure",
    "Generator",
    "LocalTeacher",
    "Question",
    "Request",
    "ServerTeacher",
    "Teacher",
    "dialects",
    "generators",
    "local",
]
