"""IFEvalG's 29 instructions beyond IFEval's, a file a family: `copy:copy` is in copy.py.

Verdicts agree with allenai/open-instruct's IFEvalG, which IF-multi-constraints was made with.
"""

from uniapl_cli.verifiers.ifevalg import (
    copy,
    count,
    detectable_format,
    first_word,
    keywords,
    last_word,
    letters,
    paragraphs,
    punctuation,
)

__all__ = [
    "copy",
    "count",
    "detectable_format",
    "first_word",
    "keywords",
    "last_word",
    "letters",
    "paragraphs",
    "punctuation",
]
