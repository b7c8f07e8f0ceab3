"""Steps of SFT in this project: the whole step, as `uniapl train sft` makes it from a batch."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.engines.laps import Laps
from benchmarks.engines.sft_job import read_batch
from uniapl_cli.objectives import objectives
from uniapl_cli.partition import default_tokens
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.policy import load_policy
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update


class Sft:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.steps, self.lr, self.laps = job["steps"], job["lr"], Laps()
        precision = job.get("precision", "float32")
        self.policy = load_policy(resolve(job["model"]), "cpu", precision)
        if job.get("checkpoint_activations"):
            checkpoint_activations(self.policy.model, precision)
        self.batch = read_batch(job, self.policy.tokenizer)
        optimizer = optimizers.bind(optimizers.options("adamw"))(self.policy.model)
        self.updater = Updater(self.policy, optimizer, [Update()])
        self.terms = [Term("sft", "rows", lambda values: 1.0, objectives["nll"].definition)]
        self.tokens = {"rows": job.get("tokens") or default_tokens("cpu")}
        self.step()

    def __call__(self) -> dict[str, Any]:
        for _ in range(self.steps):
            self.laps.begin()
            loss = self.step()
            self.laps.end()
        return {**self.laps.figures(), "value": loss}

    def step(self) -> float:
        """Make a step; return its loss."""
        batches = prepare(self.policy, self.terms, {"rows": self.batch}, self.tokens)
        means, _ = self.updater.update(1, self.terms, {"sft": 1.0}, batches, self.lr)
        return means["sft"].value


def load(job: dict[str, Any]) -> Sft:
    return Sft(job)
