"""Checks whether a response follows its row's instructions.

`ifeval/` holds IFEval's 25 instructions, `ifevalg/` IFEvalG's 29 more, `multi_if/` those that
Multi-IF counts by language, `autoif.py` AutoIF's code, `answers/` the graders of answers, `code/`
those of programs.
"""

from uniapl_cli.verifiers import answers as answers
from uniapl_cli.verifiers import autoif as autoif
from uniapl_cli.verifiers import code as code
from uniapl_cli.verifiers import ifeval as ifeval
from uniapl_cli.verifiers import ifevalg as ifevalg
from uniapl_cli.verifiers import multi_if as multi_if
from uniapl_cli.verifiers.binding import constraint, constraints
from uniapl_cli.verifiers.judging import Case, Judge
from uniapl_cli.verifiers.packages import check_packages
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import download_punkt, splitter_name
from uniapl_cli.verifiers.verdict import judge

__all__ = [
    "Case",
    "Judge",
    "check_packages",
    "constraint",
    "constraints",
    "download_punkt",
    "judge",
    "splitter_name",
    "verifiers",
]
