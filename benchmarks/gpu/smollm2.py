"""Section smollm2: a real model; IFEval, some steps of GRPO on other prompts, IFEval again."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import metrics, uniapl
from benchmarks.gpu.logps import sampler_gap
from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy
from uniapl_cli.types import Message

AVERAGED = (
    "seconds/sources", "seconds/update", "tokens_per_second", "memory_gib",
    "preference/sampler_gap", "rollouts/completions/mean_length",
)  # fmt: skip


def smollm2(bench: Bench) -> None:
    """Measure the model, train it, measure it again. IFEval is a benchmark: never train on it."""
    folder = bench.options.smollm2
    if not folder:
        bench.log("left out", why="no --smollm2 FOLDER")
        return
    root = bench.work / "smollm2"
    shutil.rmtree(root, ignore_errors=True)
    with bench.part("sampler_gap"):
        bench.log("sampler_gap", **real_gap(bench, folder))
    with bench.part("eval before"):
        evaluate(bench, "eval before", folder, root / "before")
    with bench.part("train grpo"):
        train(bench, folder, root / "grpo")
    with bench.part("eval after"):
        evaluate(bench, "eval after", str(root / "grpo"), root / "after")


def real_gap(bench: Bench, folder: str) -> dict[str, Any]:
    """Return the sampler's gap of the model, its weights as they are trained."""
    policy = load_policy(folder, bench.device, bench.precision)
    chat = Chat(policy.tokenizer)
    lines = Path(resolve(bench.options.prompts)).read_text().splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines[: bench.pick(32, 2)]]
    requests = [
        Request(tuple(chat.prompt_ids((Message("user", text),))), tuple(range(4 * i, 4 * i + 4)))
        for i, text in enumerate(prompts)
    ]
    return sampler_gap(policy, requests, bench.pick(256, 8))


def evaluate(bench: Bench, what: str, model: str, out: Path) -> None:
    """Log IFEval's four figures, greedy."""
    new, limit = bench.pick(512, 8), bench.pick(bench.options.limit, 2)
    sampling = f"{{temperature: 0, max_new_tokens: {new}}}"
    bench.peak_gib()
    began = time.perf_counter()
    result = uniapl(
        "eval", *bench.where, f"eval.data={bench.options.prompts}",
        f"eval.limit={limit}", f"eval.draws={{greedy: {{samples: 1, sampling: {sampling}}}}}",
        f"eval.model={model}", f"eval.out={out}", "eval.metrics=[ifeval, length]",
    )  # fmt: skip
    figures = {name: [f["mean"], f["se"]] for name, f in result["draws"]["greedy"].items()}
    bench.log(
        what,
        prompts=bench.options.prompts,
        seconds=time.perf_counter() - began,
        peak_gib=bench.peak_gib(),
        **figures,
    )


def train(bench: Bench, model: str, run: Path) -> None:
    """Log some steps of GRPO, rewarded by the share of constraints that pass."""
    options, steps = bench.options, bench.pick(bench.options.grpo_steps, 2)
    prompts, samples, new, micro = bench.pick((16, 8, 256, 16384), (2, 2, 8, 512))
    began = time.perf_counter()
    uniapl(
        "train", "grpo", *bench.where, f"model.path={model}", f"run.dir={run}",
        f"run.save_every={steps}", f"data.prompts={options.train_prompts}",
        f"training.steps={steps}", f"sources.rollouts.prompts_per_step={prompts}",
        f"sources.rollouts.num_generations={samples}", f"sampling.max_new_tokens={new}",
        f"training.micro_batch_tokens={micro}", f"optim.lr={options.lr}",
        "rewards.verifier.functions.verifier.mode=fraction",
    )  # fmt: skip
    rows = metrics(run)
    means = {name: statistics.fmean(row[name] for row in rows[1:] or rows) for name in AVERAGED}
    bench.log(
        "train grpo",
        steps=len(rows),
        seconds=time.perf_counter() - began,
        reward=[row["rollouts/verifier/mean"] for row in rows],
        grad_norm=[row["grad_norm"] for row in rows],
        **means,
    )
