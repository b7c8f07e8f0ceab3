"""A benchmark of uniapl eval."""

from pathlib import Path

from uniapl_cli import Benchmark, Item, Turn, register_benchmark
from uniapl_cli.evaluation.benchmarks.reading import rows
from uniapl_cli.verifiers import constraint


@register_benchmark("sums")
class Sums(Benchmark):
    """Sums of two numbers."""

    title, rule = "Sums", "last-number/1"
    most: int = 1000

    def items(self, data: Path) -> list[Item]:
        """Read rows of `sum`, such as "1 + 2", and `answer`."""
        return [
            Item(
                id=row.origin,
                turns=(
                    Turn(
                        f"What is {row.values['sum']}?",
                        (constraint("answer:number", {"answer": row.values["answer"]}),),
                    ),
                ),
                origin=row.origin,
            )
            for row in rows(data, "*.jsonl")[: self.most]
        ]
