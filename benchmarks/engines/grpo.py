"""This project's GRPO steps on the embedded world, as `uniapl train grpo` makes them."""

from __future__ import annotations

import time
from typing import Any

import torch

from uniapl_cli import load_config
from uniapl_cli.commands import components
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.parts import make_sources, micro_batch_tokens
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.commands.train import make_optimizer
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.loop import next_batches
from uniapl_cli.training.updater import Updater


class Grpo:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.steps, self.done, self.lr = job["steps"], 0, job["lr"]
        config = load_config("tiny:grpo", overrides(job), "grpo")
        self.method = plan(config)
        chat = components.policy_chat(config, job["model"])
        self.policy = components.trained_policy(config, job["model"], chat, "cpu")
        context = self.policy.model.config.max_position_embeddings
        self.streams = make_streams(config, self.method, chat, context)
        self.sources = make_sources(config, self.method, chat, self.policy, None, "cpu")
        self.updater = Updater(self.policy, make_optimizer(config, self.policy.model), 1.0)
        self.tokens = {name: micro_batch_tokens(config, name, "cpu") for name in self.sources}
        self.step()

    def __call__(self) -> dict[str, Any]:
        seconds, lengths = [], []
        for _ in range(self.steps):
            began = time.perf_counter()
            lengths.append(self.step())
            seconds.append(time.perf_counter() - began)
        return {"step_seconds": seconds, "mean_length": sum(lengths) / len(lengths)}

    def step(self) -> float:
        """Make a step; return the mean length of its responses."""
        active, weights = self.method.active(self.done), self.method.weights(self.done)
        drawn = next_batches(active, self.sources, self.streams, self.done)
        rows = {name: part.batch for name, part in drawn.items()}
        batches = prepare(self.policy, active, rows, self.tokens, None)
        self.done += 1
        self.updater.update(self.done, active, weights, batches, self.lr)
        return drawn["rollouts"].metrics["completions/mean_length"]


def overrides(job: dict[str, Any]) -> list[str]:
    return [
        f"model.path={job['model']}",
        f"precision={job['dtype']}",
        f"data.prompts={job['prompts']}",
        f"sampling.max_new_tokens={job['new_tokens']}",
        f"sources.rollouts.prompts_per_step={job['groups']}",
        f"sources.rollouts.num_generations={job['group']}",
        f"optim.lr={job['lr']}",
        "schedules.beta_kl=0",  # as TRL by default: no reference
        "training.steps=1000000",
        "run.dir=unused",
    ]


def load(job: dict[str, Any]) -> Grpo:
    return Grpo(job)
