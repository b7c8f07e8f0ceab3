"""The benchmarks that `uniapl eval` knows, a file each; a decorated class is the registration."""

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
