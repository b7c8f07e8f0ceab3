"""Every packaged method for some steps on the embedded world, then again from half-way.

Each is trained in one go; then its folder is put back to the checkpoint half-way, as if it had been
killed there, and the same command goes on. Both must end with the same weights, to the bit, and the
same lines in metrics.jsonl. Told are the seconds, and the first and last of what each method logs.

    python -m benchmarks.methods_run --steps 20 --out FILE [METHOD ...]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines.machine import machine
from benchmarks.kills import COST
from uniapl_cli import load_config
from uniapl_cli.commands.train import train
from uniapl_cli.config.methods import packaged

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "methods"))
from scripted import NEEDS, write_data

SETTINGS = (
    "optim.lr=0.0015",
    "sources.demonstrations.rows_per_step=4",
    "sources.rollouts.prompts_per_step=2",
    "sources.rollouts.num_generations=4",
    "sources.choices.rows_per_step=4",
    "sources.labels.rows_per_step=4",
    "sampling.max_new_tokens=32",
    "run.log_every=1",
)


def settings(method: str, folder: Path, steps: int) -> list[str]:
    """Return the overrides of a method's run in a folder."""
    files = {"demonstrations": "rows", "prompts": "rows", "preferences": "pairs"}
    data = [f"data.{name}={folder / file}.jsonl" for name, file in files.items()]
    own = [f"training.steps={steps}", f"run.save_every={steps // 2}", f"run.dir={folder / 'run'}"]
    return [
        *SETTINGS,
        *NEEDS.get(method, ()),
        *data,
        f"data.preferences={folder / 'pairs.jsonl'}",
        *own,
    ]


def lines(run: Path) -> list[dict[str, Any]]:
    """Return the metrics of each step, but what it cost."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(COST)} for line in found]


def digest(run: Path) -> str:
    """Return a digest of the final model's weights."""
    return hashlib.sha256((run / "final" / "model.safetensors").read_bytes()).hexdigest()


def back(run: Path, steps: int) -> None:
    """Put a finished run back to the checkpoint half-way."""
    shutil.rmtree(run / "final")
    for later in (run / "checkpoints").glob("step-*"):
        if int(later.name.removeprefix("step-")) > steps // 2:
            shutil.rmtree(later)


def tried(method: str, steps: int) -> dict[str, Any]:
    """Train a method, and once more from half-way."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, rows=256)
        overrides, run = settings(method, folder, steps), folder / "run"
        began = time.perf_counter()
        train(load_config(Path("tiny:unified"), overrides, method))
        seconds = time.perf_counter() - began
        whole, weights = lines(run), digest(run)
        back(run, steps)
        train(load_config(Path("tiny:unified"), overrides, method))
        same = digest(run) == weights and lines(run) == whole
    numbers = [k for k, v in whole[-1].items() if isinstance(v, float) and k in whole[0]]
    logged = {name: [whole[0][name], whole[-1][name]] for name in numbers}
    return {
        "steps": len(whole),
        "seconds": round(seconds, 2),
        "resumed_equal": same,
        "logged": logged,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Try the methods, one after the other, and write what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("methods", nargs="*", help="all that are packaged, if none is named")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    found = {}
    for method in options.methods or packaged():
        found[method] = tried(method, options.steps)
        shown = {k: v for k, v in found[method].items() if k != "logged"}
        print(method, json.dumps(shown), flush=True)
    if options.out:
        result = {"steps": options.steps, "machine": machine(), "methods": found}
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if wrong := [name for name, one in found.items() if not one["resumed_equal"]]:
        sys.exit(f"not the same after a resume: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
