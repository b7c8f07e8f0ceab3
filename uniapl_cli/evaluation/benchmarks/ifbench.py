"""IFBench: 300 prompts with instructions that nobody trains on."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.data.layouts.ifeval import ifeval as read
from uniapl_cli.evaluation.benchmarks.benchmark import Benchmark, Item, Turn, benchmarks
from uniapl_cli.evaluation.benchmarks.ifeval import rates
from uniapl_cli.evaluation.benchmarks.reading import rows
from uniapl_cli.evaluation.estimates import Share
from uniapl_cli.types import Verdict
from uniapl_cli.upstream import Upstream
from uniapl_cli.verifiers import constraints, judgeable


@benchmarks.register("ifbench")
class IFBench(Benchmark):
    """IFBench (arXiv 2507.02833): does a response follow instructions of kinds unseen in training?

    The prompt as it is, no system turn; the response without thoughts, as a whole. Main: the share
    of prompts all of whose instructions are followed, loosely (allenai/IFBench: README.md,
    evaluation_lib.py). Instructions whose verifier lacks something here are not graded: they are
    none of the rates, nor is their prompt one of those of prompts; `not_graded` is their share.
    """

    title = "IFBench"
    rule = "official/1"
    main = "prompt_loose"
    extracts = False
    upstream = Upstream(
        host="github",
        repo="allenai/IFBench",
        revision="db69a6f05689830b0068b8f1529ebcfd2f3b164c",
        files={"IFBench_test.jsonl": "data/IFBench_test.jsonl"},
        licence="ODC-BY-1.0",
        sha256={
            "IFBench_test.jsonl": "a2bf7b8e7ed11d39c65b4ec781da8b99663ed0121f97033d70fcecb61f8a9d85"
        },
        bytes=421502,
    )

    def items(self, data: Path) -> list[Item]:
        """Read the rows of the authors' file, or the hub's."""
        examples = [read(row, constraints) for row in rows(data, "*_test.jsonl", "*.parquet")]
        return [
            Item(e.id, (Turn(e.prompt_text, e.constraints),), origin=e.origin) for e in examples
        ]

    def marks(self, item: Item, turn: int, verdict: Verdict) -> dict[str, Share]:
        """Return the four rates, and the share of instructions that are not graded."""
        whole = len(verdict.strict)
        judged = judgeable(item.turns[turn].constraints, verdict)
        missing = whole - len(judged.strict)
        shares = rates(judged)
        if missing:
            shares = {name: share for name, share in shares.items() if name.startswith("inst_")}
        return {**shares, "not_graded": (float(missing), float(whole))}
