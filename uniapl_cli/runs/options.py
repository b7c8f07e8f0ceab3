"""The options of a run's directory, machine and reports."""

from __future__ import annotations

from functools import partial

from uniapl_cli.options import MISSING, FilePath, Options
from uniapl_cli.options import key as any_key
from uniapl_cli.precision import Dtype

key = partial(any_key, may_change=True)


class RunOptions(Options):
    """Where and how a run writes, on what it computes; none of it changes what is learnt."""

    dir: FilePath = key(
        MISSING, "folder of the run: config, metrics, samples, checkpoints, final model"
    )
    device: str = key("auto", "auto (CUDA if there is one), cpu, cuda, cuda:1 ...")
    threads: int | None = key(
        None, "CPU threads; null leaves torch's choice (tiny models: 1)", ge=1, le=1024
    )
    deterministic: bool = key(
        False, "on CUDA, only kernels that give the same bits every time; they are slower"
    )
    log_every: int = key(1, "steps between lines of metrics.jsonl", ge=1)
    sample_every: int = key(
        10, "steps between samples written to samples.jsonl; 0 writes none", ge=0
    )
    save_every: int = key(50, "steps between checkpoints", ge=1)
    keep_checkpoints: int = key(2, "checkpoints kept; the older ones are deleted", ge=1)
    checkpoint_beside: bool | None = key(
        None,
        "write checkpoints from a copy in memory while the next steps run; null: where that much "
        "is free",
    )
    final_dtype: Dtype = key(
        "auto",
        "of the weights in final/; auto is that of training, float32, which keeps every update",
    )
    health: bool = key(True, "warn in plain words when a health check of the metrics fails")
    gradients_every: int = key(
        0,
        "steps between reports of each term's gradient norm and their cosines; 0 makes none",
        ge=0,
    )
