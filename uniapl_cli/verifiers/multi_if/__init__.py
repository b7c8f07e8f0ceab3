"""Multi-IF's checkers that differ from IFEval's: those that count by the response's language.

He et al. 2024, arXiv:2410.15553; verdicts agree with facebookresearch/Multi-IF: ifeval.py. The
other 21 instructions of its conversations are IFEval's.
"""

from uniapl_cli.verifiers.multi_if import checkers, counting, needs, thai

__all__ = ["checkers", "counting", "needs", "thai"]
