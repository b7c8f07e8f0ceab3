"""Prompts composed of a question and instructions that a program can check.

`kinds/` holds the instructions, each with its drawn arguments and its wordings; `together.py` says
which of them one answer can follow; `questions.py` the project's own topics and tasks.
"""

from uniapl_cli.composing.kinds import KINDS
from uniapl_cli.composing.options import ComposeOptions
from uniapl_cli.composing.questions import OWN, Question
from uniapl_cli.composing.rows import Composer

__all__ = ["KINDS", "OWN", "ComposeOptions", "Composer", "Question"]
