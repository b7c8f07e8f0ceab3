"""Checks whether a response follows its row's instructions: IFEval's, IFEvalG's and AutoIF's."""

from uniapl_cli.verifiers import case as case
from uniapl_cli.verifiers import combination as combination
from uniapl_cli.verifiers import content as content
from uniapl_cli.verifiers import copying as copying
from uniapl_cli.verifiers import counting as counting
from uniapl_cli.verifiers import format as format
from uniapl_cli.verifiers import keywords as keywords
from uniapl_cli.verifiers import language as language
from uniapl_cli.verifiers import length as length
from uniapl_cli.verifiers import programs as programs
from uniapl_cli.verifiers import punctuation as punctuation
from uniapl_cli.verifiers import startend as startend
from uniapl_cli.verifiers import words as words
from uniapl_cli.verifiers.binding import constraint, constraints
from uniapl_cli.verifiers.instructions import verifiers
from uniapl_cli.verifiers.judging import Case, Judge
from uniapl_cli.verifiers.text import download_punkt, splitter_name
from uniapl_cli.verifiers.verdict import judge, strip_thinking, strip_wrapping

__all__ = [
    "Case",
    "Judge",
    "constraint",
    "constraints",
    "download_punkt",
    "judge",
    "splitter_name",
    "strip_thinking",
    "strip_wrapping",
    "verifiers",
]
