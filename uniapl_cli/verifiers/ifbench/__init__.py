"""IFBench's 58 instructions, a file a group: `count:numbers` is in count.py. For evaluation only.

Pyatkin et al. 2025, arXiv:2507.02833; verdicts agree with allenai/IFBench, its errors included,
each named where it is. Where the official code fails on a response, ours does not follow.
"""

from uniapl_cli.verifiers.ifbench import (
    count,
    custom,
    format,
    ratio,
    repeat,
    sentence,
    words,
)

__all__ = ["count", "custom", "format", "ratio", "repeat", "sentence", "words"]
