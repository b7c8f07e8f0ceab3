"""Is the memory that `uniapl plan` says what a run takes?

    python -m benchmarks.plan_against_measured SMOLLM2 > benchmarks/results/plan.json

SMOLLM2 is the folder of SmolLM2-135M-Instruct; --only tiny,smollm2,qwen3 leaves shapes out. For
each shape and for SFT and GRPO the plan is made, and in a fresh process `uniapl train` makes two
steps on rows of exactly that many tokens: no response stops early. Measured is the largest resident
memory of that process (VmHWM, reset by /proc/self/clear_refs) less what is resident once everything
is imported and a dry run has been made. So it holds what the default allocator keeps of what was
freed, and what oneDNN keeps. A row passes if the two are within 15% or 64 MiB, whichever is more.
One process at a time; Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.engines.machine import machine
from benchmarks.engines.shapes import save_random_qwen3
from uniapl_cli.memory import free_bytes

MIB = 2**20
SHARE, LEAST = 0.15, 64 * MIB
# What must be free before a run, of what it is planned to take.
MARGIN = 1.15


@dataclass(frozen=True)
class Shape:
    """Rows of a prompt and a response each, in one micro-batch."""

    name: str
    rows: int
    prompt: int
    response: int


SHAPES = (
    Shape("tiny", 32, 32, 32),
    Shape("smollm2", 4, 768, 256),
    Shape("qwen3", 2, 448, 64),
)


def make_model(shape: Shape, smollm2: Path, folder: Path) -> str:
    """Return the model of a shape; Qwen3-0.6B's is made of random weights."""
    if shape.name == "tiny":
        return "tiny:teacher"
    if shape.name == "smollm2":
        return str(smollm2)
    save_random_qwen3(folder, str(smollm2))
    return str(folder)


def write_rows(file: Path, chat: Any, shape: Shape) -> None:
    """Write prompts and responses of exactly the shape's tokens."""
    rows = []
    for number in range(8):
        prompt = fitted(lambda text: len(ids_of(chat, text)), shape.prompt, str(number))
        answer = fitted(lambda text: len(chat.response_ids(text)), shape.response, "yes")
        rows.append(
            {
                "key": str(number),
                "prompt": prompt,
                "response": answer,
                "instruction_id_list": ["punctuation:no_comma"],
                "kwargs": [{}],
            }
        )
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def ids_of(chat: Any, text: str) -> Sequence[int]:
    from uniapl_cli.types import Message

    return chat.prompt_ids([Message("user", text)])


def fitted(length: Any, wanted: int, begin: str) -> str:
    """Return a text of that many tokens."""
    for filler in (" no", " a", " the"):
        count = wanted - length(begin)
        for more in range(max(count - 3, 0), 2 * wanted):
            text = begin + filler * more
            if length(text) == wanted:
                return text
            if length(text) > wanted:
                break
    raise SystemExit(f"no text of {wanted} tokens")


def settings(shape: Shape, model: str, method: str, folder: Path, precision: str) -> list[str]:
    """Return the overrides of a run of the shape."""
    rows = str(folder / f"{shape.name}.jsonl")
    return [
        f"model.path={model}",
        f"data.demonstrations={rows}",
        f"data.prompts={rows}",
        f"data.max_prompt_tokens={shape.prompt}",
        f"data.max_response_tokens={shape.response}",
        f"sampling.max_new_tokens={shape.response}",
        f"sources.demonstrations.rows_per_step={shape.rows}",
        f"sources.rollouts.prompts_per_step={shape.rows // 2}",
        "sources.rollouts.num_generations=2",
        f"training.micro_batch_tokens={shape.rows * (shape.prompt + shape.response)}",
        "training.steps=2",
        f"precision={precision}",
        "run.device=cpu",
        "run.threads=1",
        f"run.dir={folder / 'run'}",
    ]


def resident(name: str) -> int:
    """Return a figure of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def measured(method: str, overrides: Sequence[str]) -> None:
    """Train in this process, which is a fresh one, and print what it took."""
    import transformers.models.llama.modeling_llama
    import transformers.models.qwen3.modeling_qwen3  # noqa: F401

    from uniapl_cli.commands.train import train
    from uniapl_cli.config.experiment import load_config
    from uniapl_cli.generation import local

    made = local.LocalGenerator.__init__

    def without_stops(self: Any, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        self.stop_ids = {-1}

    local.LocalGenerator.__init__ = without_stops  # type: ignore[method-assign]
    config = load_config(None, overrides, method)
    train(config, dry_run=True)  # imports what only some methods do
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    train(config)
    print(json.dumps({"bytes": resident("VmHWM") - before, "imports": before}))


def planned(method: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what `uniapl plan` says, in a process of its own."""
    return run(["-m", "uniapl_cli", "plan", method, *overrides, "--json"])


def run(arguments: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {done.returncode}")
    return json.loads(done.stdout[done.stdout.index("{") :])


def compare(shape: Shape, method: str, overrides: Sequence[str]) -> dict[str, Any]:
    plan = planned(method, overrides)["memory"]
    said = plan["peak_gib"] * 2**30
    while free_bytes(torch.device("cpu")) < MARGIN * said:
        print(f"waiting: {shape.name} takes {said / MIB:,.0f} MiB, not free now", file=sys.stderr)
        time.sleep(20)
    got = run(["-m", "benchmarks.plan_against_measured", "--measure", method, *overrides])["bytes"]
    row = {
        "shape": f"{shape.name} {shape.rows} x {shape.prompt + shape.response}",
        "method": method,
        "planned_mib": round(said / MIB),
        "measured_mib": round(got / MIB),
        "ratio": round(said / got, 3),
        "phase": plan["phase"],
        "parts_mib": {name: round(size * 1024) for name, size in plan["parts_gib"].items()},
        "within": abs(said - got) <= max(SHARE * got, LEAST),
    }
    print(row, file=sys.stderr)
    return row


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        measured(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("smollm2", type=Path)
    parser.add_argument("--only", default="tiny,smollm2,qwen3")
    parser.add_argument("--methods", default="sft,grpo")
    parser.add_argument("--precision", default="float32")
    asked = parser.parse_args()
    from uniapl_cli.chat import Chat
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for shape in (shape for shape in SHAPES if shape.name in asked.only.split(",")):
            model = make_model(shape, asked.smollm2, folder / "model")
            chat = Chat(load_tokenizer(resolve(model)))
            write_rows(folder / f"{shape.name}.jsonl", chat, shape)
            for method in asked.methods.split(","):
                given = settings(shape, model, method, folder, asked.precision)
                rows.append(compare(shape, method, given))
                subprocess.run(["rm", "-rf", str(folder / "run")], check=True)
    command = "python -m benchmarks.plan_against_measured work/smollm2"
    result = {"command": command, "machine": machine(), "precision": asked.precision, "rows": rows}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
