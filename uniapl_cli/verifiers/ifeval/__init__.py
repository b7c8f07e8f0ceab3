"""IFEval's 25 instructions, a file a family: `keywords:existence` is in keywords.py.

Zhou et al. 2023, arXiv:2311.07911; verdicts agree with google-research/instruction_following_eval.
"""

from uniapl_cli.verifiers.ifeval import (
    change_case,
    combination,
    detectable_content,
    detectable_format,
    keywords,
    language,
    length_constraints,
    punctuation,
    startend,
)

__all__ = [
    "change_case",
    "combination",
    "detectable_content",
    "detectable_format",
    "keywords",
    "language",
    "length_constraints",
    "punctuation",
    "startend",
]
