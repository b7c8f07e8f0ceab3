"""This project's generator, as training and `uniapl eval` use it.

In bfloat16 their head computes in float32, from float32 weights; with `half_head` the whole model
is loaded in bfloat16, head and all, as the others have it.
"""

from __future__ import annotations

from typing import Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.precision import DTYPES
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Sampling


class Ours:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        folder = resolve(job["model"])
        if job.get("half_head"):
            model = load_model(folder, "cpu", dtype=DTYPES[job["dtype"]]).eval()
        else:
            model = load_model(folder, "cpu", precision=job["dtype"], frozen=True).eval()
        self.generator = LocalGenerator(model, Chat(load_tokenizer(folder)), precision=job["dtype"])
        self.generator.stop_ids = set()
        self.requests = [
            Request(tuple(r["prompt_ids"]), (number,), max_new_tokens=r["new_tokens"])
            for number, r in enumerate(job["requests"])
        ]
        self(8)

    def __call__(self, first: int | None = None) -> dict[str, Any]:
        requests = self.requests[:first]
        answers = self.generator.generate(requests, Sampling(max_new_tokens=256))
        rows = in_order(answers, len(requests))
        return {"value": sum(len(completion.token_ids) for (completion,) in rows)}


def load(job: dict[str, Any]) -> Ours:
    return Ours(job)
