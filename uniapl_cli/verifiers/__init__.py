"""Checks whether a response follows its row's instructions.

`ifeval/` holds IFEval's 25 instructions, `ifevalg/` IFEvalG's 29 more, `ifbench/` IFBench's 58,
`multi_if/` those that Multi-IF counts by language, `autoif.py` AutoIF's code, `answers/` the
graders of answers, `code/` those of programs.
"""

from uniapl_cli.verifiers import answers as answers
from uniapl_cli.verifiers import autoif as autoif
from uniapl_cli.verifiers import code as code
from uniapl_cli.verifiers import ifbench as ifbench
from uniapl_cli.verifiers import ifeval as ifeval
from uniapl_cli.verifiers import ifevalg as ifevalg
from uniapl_cli.verifiers import multi_if as multi_if
from uniapl_cli.verifiers.binding import constraint, constraints, trainable
from uniapl_cli.verifiers.judging import Case, Judge
from uniapl_cli.verifiers.needs import NotGraded, judgeable, lacking
from uniapl_cli.verifiers.nltk_data import download
from uniapl_cli.verifiers.packages import check_packages
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import splitter_name
from uniapl_cli.verifiers.verdict import judge

__all__ = [
    "Case",
    "Judge",
    "NotGraded",
    "check_packages",
    "constraint",
    "constraints",
    "download",
    "judge",
    "judgeable",
    "lacking",
    "splitter_name",
    "trainable",
    "verifiers",
]
