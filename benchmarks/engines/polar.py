"""This project's POLAR scorer."""

from __future__ import annotations

from typing import Any

import torch

from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.types import Comparison


class Scorer:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        options = Polar(batch_tokens=16384, share_prefixes=job["share"], cache_mb=job["cache_mb"])
        self.judge = options.make(job["model"], "cpu", "float32")
        self.rows = [Comparison(*row) for row in job["comparisons"]]
        self.judge.score(self.rows if job["cache_mb"] else self.rows[:8])

    def __call__(self) -> dict[str, Any]:
        scores = self.judge.score(self.rows)
        return {"value": sum(scores) / len(scores)}


def load(job: dict[str, Any]) -> Scorer:
    return Scorer(job)
