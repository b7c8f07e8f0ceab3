"""Graders of answers: what a response gives as its answer, and whether that is right.

`answer:number` is in number.py. `plain.py` reads numbers, `arithmetic.py` what can be computed,
`letters.py` letters; none evaluates text as code.
"""

from uniapl_cli.verifiers.answers import choice, math, number, theoremqa

__all__ = ["choice", "math", "number", "theoremqa"]
