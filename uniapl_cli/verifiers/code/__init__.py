"""Graders of programs: a benchmark's or a row's tests run on the code of a response."""

from uniapl_cli.verifiers.code import humaneval as humaneval
from uniapl_cli.verifiers.code import tests as tests
