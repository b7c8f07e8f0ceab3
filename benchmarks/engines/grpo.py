"""This project's GRPO steps on the embedded world, as `uniapl train grpo` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.engines.laps import Laps
from uniapl_cli import load_config
from uniapl_cli.commands import components
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.parts import make_shared, make_sources, micro_batch_tokens
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.commands.train import make_optimizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.drawing import next_batches
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update


class Grpo:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.steps, self.done, self.lr, self.laps = job["steps"], 0, job["lr"], Laps()
        model = resolve(job["model"])
        config = load_config("tiny:grpo", overrides(job), "grpo")
        self.method = plan(config)
        chat = components.policy_chat(config, model)
        self.policy = components.trained_policy(config, model, chat, "cpu")
        context = self.policy.model.config.max_position_embeddings
        self.streams = make_streams(config, self.method, chat, context)
        shared = make_shared(config, self.method, chat, self.policy, None, "cpu")
        self.sources = make_sources(config, self.method, shared)
        self.updater = Updater(self.policy, make_optimizer(config, self.policy.model), [Update()])
        self.tokens = {name: micro_batch_tokens(config, name, "cpu") for name in self.sources}
        generator = self.sources["rollouts"].generator
        if job["forced"]:
            generator.stop_ids = set()
        self.generate = generator.generate
        generator.generate = self.timed
        self()

    def __call__(self) -> dict[str, Any]:
        lengths = []
        for _ in range(self.steps):
            self.laps.begin()
            lengths.append(self.step())
            self.laps.rest("update")
            self.laps.end()
        return {**self.laps.figures(), "value": sum(lengths) / len(lengths)}

    def step(self) -> float:
        """Make a step; return the mean length of its responses."""
        active, weights = self.method.active(self.done), self.method.weights(self.done)
        drawn = next_batches(active, self.sources, self.streams, self.done)
        self.laps.rest("reward")
        rows = {name: part.batch for name, part in drawn.items()}
        batches = prepare(self.policy, active, rows, self.tokens, None)
        self.done += 1
        self.updater.update(self.done, active, weights, batches, self.lr)
        return drawn["rollouts"].metrics["completions/mean_length"]

    def timed(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """Generate, and count what that takes: an answer is passed on as it gets done."""
        answers = self.generate(*arguments, **options)
        while True:
            with self.laps.part("generate"):
                answer = next(answers, None)
            if answer is None:
                return
            yield answer


def overrides(job: dict[str, Any]) -> list[str]:
    return [
        f"model.path={resolve(job['model'])}",
        f"precision={job['dtype']}",
        f"data.prompts={resolve(job['prompts'])}",
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
