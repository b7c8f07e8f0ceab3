"""IFEval: 541 prompts whose instructions programs can check."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.data.layouts.ifeval import ifeval as read
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Item, Turn, benchmarks
from uniapl_cli.evaluation.benchmarks.reading import rows
from uniapl_cli.evaluation.estimates import Share
from uniapl_cli.types import Verdict
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraints


def rates(verdict: Verdict) -> dict[str, Share]:
    """Return IFEval's four rates of one answer: prompt- and instruction-level, strict and loose."""
    shares: dict[str, Share] = {}
    for mode, followed in (("strict", verdict.strict), ("loose", verdict.loose)):
        # A row without instructions is not graded.
        shares[f"prompt_{mode}"] = (float(bool(followed) and all(followed)), float(bool(followed)))
        shares[f"inst_{mode}"] = (float(sum(followed)), float(len(followed)))
    return shares


@benchmarks.register("ifeval")
class IFEval(Benchmark):
    """IFEval (arXiv 2311.07911): does a response follow its prompt's instructions?

    The prompt as it is, no system turn; the response without thoughts, as a whole. Main: the share
    of prompts all of whose instructions are followed, strictly (google-research/google-research:
    instruction_following_eval/evaluation_lib.py).
    """

    title = "IFEval"
    rule = "official/1"
    main = "prompt_strict"
    domain = "I-Following"
    extracts = False
    upstream = Upstream(
        host="github",
        repo="google-research/google-research",
        revision="041338718b4e8151372fd63677104c65b73a0a4e",
        files={"input_data.jsonl": "instruction_following_eval/data/input_data.jsonl"},
        licence="Apache-2.0",
        sha256={
            "input_data.jsonl": "67ffeee0fcb87c317c5b08a2de85557b4a7e96ada6178aa645b4954fe4b53d49",
        },
        bytes=207_111,
    )

    def items(self, data: Path) -> list[Item]:
        """Read the rows of Google's file, or the hub's."""
        examples = [read(row, constraints) for row in rows(data, "*input_data.jsonl", "*.parquet")]
        return [
            Item(e.id, (Turn(e.prompt_text, e.constraints),), origin=e.origin) for e in examples
        ]

    def marks(self, item: Item, turn: int, verdict: Verdict) -> dict[str, Share]:
        """Return the four rates."""
        return rates(verdict)
