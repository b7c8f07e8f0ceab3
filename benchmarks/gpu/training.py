"""Sections sft and grpo: steps on a random model of Qwen3-0.6B's shape."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import time
from importlib.util import find_spec
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import files
from benchmarks.gpu.logps import sampler_gap
from benchmarks.gpu.models import PEAK_FLOPS, random_prompts, random_qwen, step_flops, tokenizer
from benchmarks.gpu.planned import planned
from uniapl_cli import load_config
from uniapl_cli.chat import Chat
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.parts import make_shared, make_sources, micro_batch_tokens
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.commands.train import make_optimizer
from uniapl_cli.generation import Request
from uniapl_cli.precision import freeze, resolve
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.accumulate import accumulate, prepare
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.drawing import next_batches
from uniapl_cli.training.logps import token_logps
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update

LR = 1e-6


def experiment(bench: Bench, method: str, *overrides: str) -> Any:
    """Return the embedded world's config for a model that is in memory."""
    data = files(bench)["good"]
    own = [*bench.where, f"run.dir={bench.work}/none", "training.steps=4"]
    own += [f"data.demonstrations={data}", f"data.prompts={data}", f"optim.lr={LR}"]
    return load_config(f"tiny:{method}", [*own, *overrides], method)


class SftStep:
    """Optimiser steps of SFT on random tokens, an eighth of each row a prompt."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.config = experiment(bench, "sft")
        method = plan(self.config)
        self.policy = Policy(random_qwen(bench), tokenizer(), bench.precision)
        self.updater = Updater(
            self.policy, make_optimizer(self.config, self.policy.model), [Update()]
        )
        self.terms, self.weights = method.terms, method.weights(0)

    def take(self, rows: int, width: int) -> None:
        """Go on with a batch of so many rows of `width` predicted tokens."""
        self.rows, self.width = rows, width
        mask = torch.ones(rows, width, dtype=torch.bool)
        mask[:, : width // 8] = False
        tokens = torch.tensor(random_prompts(self.bench, rows, width + 1))
        self.batch = TokenBatch(tokens, mask)
        self.flops = step_flops(self.policy.model, rows, width, int(mask.sum()))

    def use(self, kind: str) -> None:
        """Go on with another optimiser, the memory of the last one free."""
        self.updater = dataclasses.replace(self.updater, optimizer=None)
        self.bench.free()
        config = experiment(self.bench, "sft", f"optim.kind={kind}")
        optimizer = make_optimizer(config, self.policy.model)
        self.updater = dataclasses.replace(self.updater, optimizer=optimizer)

    def micro_batches(self, tokens: int) -> Any:
        """Return the batch on the device, cut."""
        batches, sizes = {"demonstrations": self.batch}, {"demonstrations": tokens}
        return prepare(self.policy, self.terms, batches, sizes)

    def measure(self, what: str, tokens: int, times: int = 3) -> float | None:
        """Log whole steps at so many tokens a pass; return their peak in GiB."""
        bench, total = self.bench, self.rows * self.width
        bench.free()
        bench.peak_gib()

        def step() -> None:
            self.updater.update(1, self.terms, self.weights, self.micro_batches(tokens), LR)

        seconds = bench.clock(step, times=times, warm=1)
        peak = bench.peak_gib()
        bench.log(
            what,
            rows=self.rows,
            width=self.width,
            micro_batch_tokens=tokens,
            seconds=seconds,
            tokens_per_second=total / seconds,
            mfu=self.flops / seconds / PEAK_FLOPS,
            tflops=self.flops / seconds / 1e12,
            peak_gib=peak,
        )
        return peak

    def parts(self, tokens: int) -> None:
        """Log the parts of a step by themselves."""
        bench, batches = self.bench, self.micro_batches(tokens)

        def passes() -> None:
            accumulate(self.policy, self.terms, self.weights, batches)

        def optimizer() -> None:
            for parameter in self.policy.model.parameters():
                if parameter.grad is None:
                    parameter.grad = parameter.detach() * 1e-6
            self.updater.optimizer.step(0.0)

        def forward() -> None:
            with torch.no_grad():
                for batch in batches["demonstrations"]:
                    self.policy.forward(batch)

        bench.log(
            "parts of a step",
            forward_backward=bench.clock(passes, times=3, warm=1),
            forward_alone=bench.clock(forward, times=3, warm=1),
            optimizer_and_refill=bench.clock(optimizer, times=3, warm=1),
        )


def sft(bench: Bench) -> None:
    """How many tokens a pass, at what memory; and what saves memory, at what time."""
    step, (usual, width) = SftStep(bench), bench.pick((8192, 512), (64, 32))
    step.take(2 * usual // width, width)
    for tokens in (2 * usual, usual, usual // 2):
        with bench.part("step"):
            peak = step.measure("step", tokens)
            if tokens == usual:
                keys = (
                    f"data.max_prompt_tokens={width // 8}",
                    f"data.max_response_tokens={width - width // 8}",
                    f"sources.demonstrations.rows_per_step={step.rows}",
                    f"training.micro_batch_tokens={usual}",
                )
                planned(bench, "sft", step.policy, peak, *keys)
    with bench.part("parts of a step"):
        step.parts(usual)
    with bench.part("logit budget"):
        logit_budgets(step, usual)
    if find_spec("bitsandbytes") is None:
        bench.log("step, adamw8bit", left_out="bitsandbytes is not installed")
    else:
        with bench.part("adamw8bit"):
            step.use("adamw8bit")
            step.measure("step, adamw8bit", usual)
        step.use("adamw")
    long = bench.pick((2, 8192), (2, 64))
    with bench.part("long rows"):
        step.take(*long)
        step.measure("long rows", long[1])
    with bench.part("checkpoint_activations"):
        checkpoint_activations(step.policy.model, bench.precision)
        step.measure("long rows, checkpoint_activations", long[1])
        step.take(2 * usual // width, width)
        for tokens in (2 * usual, usual):
            step.measure("step, checkpoint_activations", tokens)


def logit_budgets(step: SftStep, tokens: int) -> None:
    """Log steps whose head makes fewer and more logits at a time."""
    defaults = token_logps.__kwdefaults__
    usual = defaults["budget"]
    try:
        for power in (26, 28, 30):
            defaults["budget"] = 2**power
            step.measure(f"step, LOGIT_BUDGET 2**{power}", tokens)
    finally:
        defaults["budget"] = usual


def grpo(bench: Bench) -> None:
    """Steps of 8 prompts with 8 rollouts of 256 tokens, the KL term's reference beside it."""
    policy = Policy(random_qwen(bench), tokenizer(), bench.precision)
    chat = Chat(policy.tokenizer)
    keys = (
        f"sources.rollouts.prompts_per_step={bench.pick(8, 2)}",
        f"sources.rollouts.num_generations={bench.pick(8, 4)}",
        f"sampling.max_new_tokens={bench.pick(256, 8)}",
        f"training.micro_batch_tokens={bench.pick(8192, 128)}",
    )
    config = experiment(bench, "grpo", *keys)
    method = plan(config)
    streams = make_streams(config, method, chat, policy.model.config.max_position_embeddings)
    frozen = freeze(copy.deepcopy(policy.model), resolve(bench.precision, policy.device))
    reference = Policy(frozen, policy.tokenizer, bench.precision)
    shared = make_shared(config, method, chat, policy, reference, bench.device)
    sources = make_sources(config, method, shared)
    updater = Updater(policy, make_optimizer(config, policy.model), [Update()])
    sizes = {name: micro_batch_tokens(config, name, policy.device.type) for name in sources}
    bench.peak_gib()
    for step in range(bench.pick(3, 2)):
        marks = [time.perf_counter()]

        def mark(marks: list[float] = marks) -> None:
            bench.sync()
            marks.append(time.perf_counter())

        drawn = next_batches(method.active(step), sources, streams, step)
        mark()
        rows = {name: part.batch for name, part in drawn.items()}
        batches = prepare(policy, method.terms, rows, sizes, reference)
        mark()
        means, norms = updater.update(step + 1, method.terms, method.weights(step), batches, LR)
        mark()
        sampling, forward, update = (b - a for a, b in itertools.pairwise(marks))
        tokens = int(rows["rollouts"].loss_mask.sum())
        seconds, peak = marks[-1] - marks[0], bench.peak_gib()
        bench.log(
            "step",
            step=step,
            tokens=tokens,
            seconds=seconds,
            sampling=sampling,
            reference=forward,
            update=update,
            tokens_per_second=tokens / seconds,
            grad_norm=max(norms.values()),
            sampler_gap=means["preference/sampler_gap"].value,
            clip_ratio=means["preference/clip_ratio"].value,
            peak_gib=peak,
        )
    prompt = rows["rollouts"].tokens.shape[1] - bench.pick(256, 8)
    planned(bench, "grpo", policy, peak, *keys, f"data.max_prompt_tokens={prompt}")
    prompts = random_prompts(bench, 4, bench.pick(128, 8))
    requests = [Request(ids, tuple(range(4))) for ids in prompts]
    bench.log("sampler_gap_0.6b", **sampler_gap(policy, requests, bench.pick(128, 8)))
