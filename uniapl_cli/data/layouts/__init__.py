"""How the rows of known data sets are read as examples, a file a data set."""

from uniapl_cli.data.layouts import (
    autoif,
    conversations,
    gsm8k,
    if_multi,
    ifeval,
    instructions,
    math,
    mbpp,
    multi_if,
    sharegpt,
)
from uniapl_cli.data.layouts.layout import Layout, layouts

__all__ = [
    "Layout",
    "autoif",
    "conversations",
    "gsm8k",
    "if_multi",
    "ifeval",
    "instructions",
    "layouts",
    "math",
    "mbpp",
    "multi_if",
    "sharegpt",
]
