"""The embedded world: its files, its experiments and the commands, run in this process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.models import tokenizer
from uniapl_cli.chat import Chat
from uniapl_cli.cli.app import app
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.files import write_rows
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.oracle import demonstrations
from uniapl_cli.types import Message


def uniapl(*words: str) -> dict[str, Any]:
    """Run a verb in this process; return the JSON that it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = app([*words, "--json", "--debug"], standalone_mode=False, prog_name="uniapl")
    if code:
        raise RuntimeError(f"uniapl {words[0]} ended with {code}")
    return dict(json.loads(printed.getvalue()))


def train_rows(count: int) -> list[dict[str, Any]]:
    """Return the first rows of the shipped prompts."""
    lines = Path(resolve("tiny:train")).read_text().splitlines()[:count]
    return [json.loads(line) for line in lines]


def files(bench: Bench) -> dict[str, Path]:
    """Write demonstrations, pairs and trajectories, all by the oracle; return their paths."""
    rows = train_rows(bench.pick(256, 32))
    good, poor = demonstrations(rows, 1), demonstrations(rows, 3, ignore=0.9)
    pairs = [
        {**row, "chosen": row["response"], "rejected": other["response"]}
        for row, other in zip(good, poor, strict=True)
    ]
    contents = {
        "prompts": rows,
        "good": good,
        "pairs": pairs,
        "expert": [*demonstrations(rows, 5), *demonstrations(rows, 6)],
        "novice": [*demonstrations(rows, 5, ignore=0.9), *demonstrations(rows, 6, ignore=0.9)],
    }
    folder = bench.work / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.jsonl" for name in contents}
    for name, part in contents.items():
        if not paths[name].exists():
            write_rows(paths[name], part)
    return paths


def train(bench: Bench, method: str, run: Path, *overrides: str, steps: int = 2) -> Path:
    """Train a method on the embedded world, on the device; return the run directory."""
    uniapl(*training(bench, method, run, *overrides, steps=steps))
    return run


def training(
    bench: Bench, method: str, run: Path, *overrides: str, steps: int = 2
) -> tuple[str, ...]:
    """Return the words of the command."""
    paths, size = files(bench), bench.pick(8, 4)
    return (
        "train", method, "--config", f"tiny:{method}",
        *bench.where, f"run.dir={run}", f"training.steps={steps}",
        f"data.demonstrations={paths['good']}", f"data.prompts={paths['good']}",
        f"data.preferences={paths['pairs']}", f"sources.demonstrations.rows_per_step={size}",
        f"sources.rollouts.prompts_per_step={size}", "sources.rollouts.num_generations=4",
        f"sources.choices.rows_per_step={size}", f"sources.labels.rows_per_step={size}",
        "training.micro_batch_tokens=400", f"sampling.max_new_tokens={bench.pick(48, 16)}",
        *overrides,
    )  # fmt: skip


def batch(rows: int) -> TokenBatch:
    """Return shipped prompts with the oracle's answers as a batch."""
    chat = Chat(tokenizer("tiny:teacher"))
    pairs = [
        (chat.prompt_ids((Message("user", row["prompt"]),)), chat.response_ids(row["response"]))
        for row in demonstrations(train_rows(rows), 1)
    ]
    return TokenBatch(*pad_rows(pairs, chat.tokenizer.pad_token_id or 0))


def metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def digest(run: Path) -> str:
    """Return the sha256 of a run's final weights."""
    return hashlib.sha256((run / "final" / "model.safetensors").read_bytes()).hexdigest()


def largest_difference(run: Path, other: Path) -> float:
    """Return the largest difference between two runs' final weights."""
    from safetensors.torch import load_file

    a, b = (load_file(path / "final" / "model.safetensors") for path in (run, other))
    return max((a[name].float() - b[name].float()).abs().max().item() for name in a)
