"""Sections sft and grpo: steps on a random model of Qwen3-0.6B's shape."""

from __future__ import annotations

import copy
import itertools
import time
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import files
from benchmarks.gpu.logps import sampler_gap
from benchmarks.gpu.models import PEAK_FLOPS, random_prompts, random_qwen, step_flops, tokenizer
from uniapl_cli import load_config
from uniapl_cli.chat import Chat
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.parts import make_sources, micro_batch_tokens
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.commands.train import make_optimizer
from uniapl_cli.generation import Request
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.accumulate import accumulate, prepare
from uniapl_cli.training.logps import token_logps
from uniapl_cli.training.loop import next_batches
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.updater import Updater

LR = 1e-6


def experiment(bench: Bench, method: str, *overrides: str) -> Any:
    """Return the embedded world's config for a model that is in memory."""
    data = files(bench)["good"]
    own = [*bench.where, f"run.dir={bench.work}/none", "training.steps=4"]
    own += [f"data.demonstrations={data}", f"data.prompts={data}", f"optim.lr={LR}"]
    return load_config(f"tiny:{method}", [*own, *overrides], method)


class SftStep:
    """One optimiser step of SFT on a batch of random tokens."""

    def __init__(self, bench: Bench) -> None:
        rows, width = bench.pick((16, 512), (4, 32))
        self.bench, self.rows, self.width = bench, rows, width
        config = experiment(bench, "sft")
        method = plan(config)
        self.policy = Policy(random_qwen(bench), tokenizer(), bench.precision)
        self.optimizer = make_optimizer(config, self.policy.model)
        self.updater = Updater(self.policy, self.optimizer, 1.0)
        self.terms, self.weights = method.terms, method.weights(0)
        mask = torch.ones(rows, width, dtype=torch.bool)
        mask[:, : width // 8] = False
        self.batch = TokenBatch(torch.tensor(random_prompts(bench, rows, width + 1)), mask)
        self.flops = step_flops(self.policy.model, rows, width, int(mask.sum()))

    def micro_batches(self, size: int) -> Any:
        """Return the batch on the device, cut."""
        batches, tokens = {"demonstrations": self.batch}, {"demonstrations": size * self.width}
        return prepare(self.policy, self.terms, batches, tokens)

    def measure(self, what: str, size: int, times: int) -> None:
        """Log whole steps at a micro-batch size."""
        bench, tokens = self.bench, self.rows * self.width
        bench.free()
        bench.peak_gib()

        def step() -> None:
            self.updater.update(1, self.terms, self.weights, self.micro_batches(size), LR)

        seconds = bench.clock(step, times=times, warm=1)
        bench.log(
            what,
            rows=self.rows,
            width=self.width,
            micro_batch=size,
            seconds=seconds,
            tokens_per_second=tokens / seconds,
            mfu=self.flops / seconds / PEAK_FLOPS,
            tflops=self.flops / seconds / 1e12,
            peak_gib=bench.peak_gib(),
        )

    def parts(self, size: int) -> None:
        """Log the parts of a step by themselves."""
        bench, batches = self.bench, self.micro_batches(size)

        def passes() -> None:
            accumulate(self.policy, self.terms, self.weights, batches)

        def optimizer() -> None:
            for parameter in self.policy.model.parameters():
                if parameter.grad is None:
                    parameter.grad = parameter.detach() * 1e-6
            self.optimizer.step(0.0)

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
    """A step on 8k tokens: tokens a second, share of the card's peak, memory."""
    step = SftStep(bench)
    rows = step.rows
    for size in (rows, rows // 2, rows // 4):
        with bench.part("step"):
            step.measure("step", size, 4)
    with bench.part("parts of a step"):
        step.parts(rows // 2)
    with bench.part("logit budget"):
        defaults = token_logps.__kwdefaults__
        usual = defaults["budget"]
        try:
            for power in (26, 28, 30):
                defaults["budget"] = 2**power
                step.measure(f"step, LOGIT_BUDGET 2**{power}", rows // 2, 3)
        finally:
            defaults["budget"] = usual
    with bench.part("fused AdamW"):
        parameters = step.policy.model.parameters()
        step.optimizer.parts = [(torch.optim.AdamW(parameters, lr=LR, fused=True), 1.0)]
        step.measure("step, fused AdamW", rows // 2, 3)


def grpo(bench: Bench) -> None:
    """Steps of 8 prompts with 8 rollouts of 256 tokens, the KL term's reference beside it."""
    policy = Policy(random_qwen(bench), tokenizer(), bench.precision)
    chat = Chat(policy.tokenizer)
    config = experiment(
        bench,
        "grpo",
        f"sources.rollouts.prompts_per_step={bench.pick(8, 2)}",
        f"sources.rollouts.num_generations={bench.pick(8, 4)}",
        f"sampling.max_new_tokens={bench.pick(256, 8)}",
        f"training.micro_batch_tokens={bench.pick(16384, 128)}",
    )
    method = plan(config)
    streams = make_streams(config, method, chat, policy.model.config.max_position_embeddings)
    reference = Policy(
        copy.deepcopy(policy.model).requires_grad_(False), policy.tokenizer, bench.precision
    )
    sources = make_sources(config, method, chat, policy, reference, bench.device)
    updater = Updater(policy, make_optimizer(config, policy.model), 1.0)
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
        means, norm = updater.update(step + 1, method.terms, method.weights(step), batches, LR)
        mark()
        sampling, forward, update = (b - a for a, b in itertools.pairwise(marks))
        tokens = int(rows["rollouts"].loss_mask.sum())
        seconds = marks[-1] - marks[0]
        bench.log(
            "step",
            step=step,
            tokens=tokens,
            seconds=seconds,
            sampling=sampling,
            reference=forward,
            update=update,
            tokens_per_second=tokens / seconds,
            grad_norm=norm,
            sampler_gap=means["preference/sampler_gap"].value,
            clip_ratio=means["preference/clip_ratio"].value,
            peak_gib=bench.peak_gib(),
        )
    prompts = random_prompts(bench, 4, bench.pick(128, 8))
    requests = [Request(ids, tuple(range(4))) for ids in prompts]
    bench.log("sampler_gap_0.6b", **sampler_gap(policy, requests, bench.pick(128, 8)))
