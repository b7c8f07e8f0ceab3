"""Teachers: models that answer prompts, in this process or behind a server."""

from uniapl_cli.teachers.dialects import dialects
from uniapl_cli.teachers.local import LocalTeacher
from uniapl_cli.teachers.server import Server, ServerTeacher, server_key
from uniapl_cli.teachers.teacher import Answer, Failure, Question, Teacher

__all__ = [
    "Answer",
    "Failure",
    "LocalTeacher",
    "Question",
    "Server",
    "ServerTeacher",
    "Teacher",
    "dialects",
    "server_key",
]
