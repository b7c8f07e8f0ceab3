"""Sections tiny and methods: whole runs on the embedded world, repeated, resumed, of each kind."""

from __future__ import annotations

import shutil
import time

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import digest, files, largest_difference, metrics, train, uniapl

LOGGED = (
    "loss", "grad_norm", "preference/sampler_gap", "rollouts/verifier/mean",
    "rollouts/anchor/mean", "seconds/sources", "seconds/update", "memory_gib",
)  # fmt: skip
# A run's name -> its method and overrides.
METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (name, ())
        for name in (
            "sft", "grpo", "asft", "agrpo", "unified", "chord", "achord", "dpo", "kto", "adpo",
            "akto", "unified_dpo", "unified_kto",
        )
    },
    "lora": ("grpo", ("model.adapter.rank=4",)),
    "lora-unified": ("unified", ("model.adapter.rank=4",)),
    "muon": ("unified", ("optim.kind=muon",)),
    "two-iterations": ("grpo", ("training.num_iterations=2", "run.gradients_every=1")),
    "eager": ("unified", ("model.attention=eager", "discriminator.attention=eager")),
}  # fmt: skip


def tiny(bench: Bench) -> None:
    """teacher-gen, filter-gt, six steps of unified, eval; the run again, and resumed."""
    root = bench.work / "pipeline"
    shutil.rmtree(root, ignore_errors=True)
    common = ["--config", "tiny:unified", *bench.where]
    with bench.part("teacher-gen"):
        began = time.perf_counter()
        prompts = files(bench)["prompts"]
        uniapl(
            "teacher-gen", *common, f"teach.prompts={prompts}", f"teach.out={root}/teacher.jsonl"
        )
        counts = uniapl(
            "filter-gt", *common, f"filter.responses={root}/teacher.jsonl",
            f"filter.out={root}/kept.jsonl", f"filter.rejected={root}/rejected.jsonl",
        )  # fmt: skip
        bench.log("teacher-gen, filter-gt", seconds=time.perf_counter() - began, **counts)
    one, two, resumed = (root / name for name in ("one", "two", "resumed"))
    # eval.model follows run.dir, and a run directory takes one config only.
    options = ["run.save_every=3", "run.gradients_every=3", "eval.model=any"]
    with bench.part("train unified"):
        began = time.perf_counter()
        rows = metrics(train(bench, "unified", one, *options, steps=6))
        figures = {name: [row.get(name) for row in rows] for name in LOGGED}
        bench.log("train unified", seconds=time.perf_counter() - began, **figures)
    with bench.part("repeatable"):
        train(bench, "unified", two, *options, steps=6)
        bench.log("the same run twice", same_bits=digest(one) == digest(two))
    with bench.part("resumed"):
        shutil.copytree(one, resumed)
        shutil.rmtree(resumed / "final")
        shutil.rmtree(max((resumed / "checkpoints").glob("step-*")))
        train(bench, "unified", resumed, *options, steps=6)
        bench.log(
            "resumed after step 3",
            same_bits=digest(one) == digest(resumed),
            largest_difference=largest_difference(one, resumed),
        )
    with bench.part("eval"):
        began = time.perf_counter()
        result = uniapl(
            "eval", *common, f"eval.model={one}", f"eval.out={root}/eval",
            f"eval.limit={bench.pick(256, 16)}",
        )  # fmt: skip
        means = {
            draw: {name: figure["mean"] for name, figure in figures.items()}
            for draw, figures in result["draws"].items()
        }
        bench.log("eval", seconds=time.perf_counter() - began, draws=means)


def methods(bench: Bench) -> None:
    """Every method, the adapter, Muon and the discriminator's training: two steps each."""
    root = bench.work / "methods"
    shutil.rmtree(root, ignore_errors=True)
    for name, (method, overrides) in METHODS.items():
        with bench.part(name):
            began = time.perf_counter()
            run = train(bench, method, root / name, "run.log_every=1", *overrides)
            last = metrics(run)[-1]
            figures = {key: last.get(key) for key in ("loss", "grad_norm", "memory_gib")}
            bench.log(name, seconds=time.perf_counter() - began, **figures)
    with bench.part("pretrain-polar"):
        began = time.perf_counter()
        paths = files(bench)
        trajectories = f"[{paths['expert']},{paths['novice']}]"
        uniapl(
            "pretrain-polar", "--config", "experiments/tiny/recipe/polar.yaml",
            *bench.where, f"run.dir={root}/polar", "training.steps=2",
            "polar.init=tiny:base", "sources.comparisons.pairs_per_step=4",
            f"polar.trajectories={trajectories}", f"polar.heldout={trajectories}",
        )  # fmt: skip
        bench.log("pretrain-polar", seconds=time.perf_counter() - began)
