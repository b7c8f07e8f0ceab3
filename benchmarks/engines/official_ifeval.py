"""The official code of IFEval, as lm-evaluation-harness ships it: see verification.py."""

from __future__ import annotations

from typing import Any


class Official:
    def __init__(self, job: dict[str, Any]) -> None:
        from lm_eval.tasks.ifeval import utils

        self.rows = [
            (utils.InputExample(0, row["ids"], row["prompt"], row["kwargs"]), row["response"])
            for row in job["rows"]
        ]
        self.ways = utils.test_instruction_following_strict, utils.test_instruction_following_loose

    def __call__(self) -> dict[str, Any]:
        counts = [
            sum(sum(way(row, response).follow_instruction_list) for row, response in self.rows)
            for way in self.ways
        ]
        return {"value": counts}


def load(job: dict[str, Any]) -> Official:
    return Official(job)
