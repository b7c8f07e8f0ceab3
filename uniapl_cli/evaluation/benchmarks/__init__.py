"""The benchmarks that `uniapl eval` knows, a file each; a decorated class is the registration."""

from uniapl_cli.evaluation.benchmarks import ceval as ceval
from uniapl_cli.evaluation.benchmarks import cmmlu as cmmlu
from uniapl_cli.evaluation.benchmarks import gpqa as gpqa
from uniapl_cli.evaluation.benchmarks import gsm8k as gsm8k
from uniapl_cli.evaluation.benchmarks import humaneval as humaneval
from uniapl_cli.evaluation.benchmarks import ifbench as ifbench
from uniapl_cli.evaluation.benchmarks import ifeval as ifeval
from uniapl_cli.evaluation.benchmarks import math as math
from uniapl_cli.evaluation.benchmarks import mbpp as mbpp
from uniapl_cli.evaluation.benchmarks import mmlu as mmlu
from uniapl_cli.evaluation.benchmarks import mmlu_pro as mmlu_pro
from uniapl_cli.evaluation.benchmarks import multi_if as multi_if
from uniapl_cli.evaluation.benchmarks import theoremqa as theoremqa
from uniapl_cli.evaluation.benchmarks.benchmark import (
    Benchmark,
    ChoiceItem,
    Domain,
    Graded,
    Item,
    Turn,
    benchmarks,
)

__all__ = ["Benchmark", "ChoiceItem", "Domain", "Graded", "Item", "Turn", "benchmarks"]
