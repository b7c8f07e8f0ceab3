"""Do several processes train what one does? All methods, with whole weights and with parts.

    python -m benchmarks.ranks_equal --out benchmarks/results/ranks_equal.json
    python -m benchmarks.ranks_equal --model FOLDER --out benchmarks/results/ranks_smollm2.json

The cases are those of tests/parallel/equal_cases.py, by 1, 2 and 4 processes each: 20 steps of
AdamW on the embedded world's model. --model: three steps of another model instead, SFT and GRPO
together, by 1 and 2. Says how far losses, norms and final weights are from those of one process at
the most, and how many samples are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from benchmarks.engines.machine import machine

SCRIPT = Path(__file__).parents[1] / "tests" / "parallel" / "equal_cases.py"
NAMES = ("exact-sft", "sft", "dpo", "grpo", "unified", "chord")


def start(folder: Path, world: int, names: Sequence[str]) -> subprocess.Popen[str]:
    """Begin to train the cases by so many processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    command = [sys.executable, *(launcher if world > 1 else []), str(SCRIPT), str(folder), *names]
    log = (folder / f"{world}.log").open("w")
    return subprocess.Popen(command, stdout=log, stderr=log, text=True)


def train(folder: Path, worlds: Sequence[int], names: Sequence[str]) -> None:
    """Train the cases by each number of processes, side by side."""
    running = {world: start(folder, world, names) for world in worlds}
    for world, one in running.items():
        if one.wait():
            for other in running.values():
                other.terminate()
            raise SystemExit((folder / f"{world}.log").read_text()[-4000:])


def lines(run: Path, name: str) -> list[dict[str, Any]]:
    """Return the lines of a file of a run; of one that there is not, none."""
    file = run / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def weights(folder: Path) -> dict[str, Any]:
    """Return a run's weights: those of its adapter, if it has one."""
    found = sorted((folder / "final").rglob("*.safetensors"), key=lambda file: file.stat().st_size)
    return {name: weight.float() for name, weight in load_file(found[0]).items()}


def apart(found: dict[str, Any], others: dict[str, Any]) -> float:
    """Return the largest difference of two models' weights."""
    return max(float((found[name] - weight).abs().max()) for name, weight in others.items())


def compared(run: Path, alone: Path) -> dict[str, Any]:
    """Return how far a run is from that of one process."""
    rows = list(zip(lines(run, "metrics"), lines(alone, "metrics"), strict=True))
    texts = [[(x["prompt"], x["response"]) for x in lines(r, "samples")] for r in (run, alone)]
    return {
        "steps": len(rows),
        "loss": max(abs(a["loss"] - b["loss"]) for a, b in rows),
        "grad_norm": max(abs(a["grad_norm"] - b["grad_norm"]) for a, b in rows),
        "weights": apart(weights(run), weights(alone)),
        "samples": len(texts[1]),
        "samples_alike": sum(a == b for a, b in zip(*texts, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder of a model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--only", nargs="*", default=NAMES, help="these; lora, kto, exact-dpo, exact-unified too"
    )
    options = parser.parse_args()
    names, worlds = options.only, (1, 2, 4)
    if options.model:
        os.environ["UNIAPL_EQUAL_MODEL"] = str(Path(options.model).resolve())
        names, worlds = ["model"], (1, 2)
    os.environ |= {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    sys.path.insert(0, str(SCRIPT.parent))
    import equal_data

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "data").mkdir()
        equal_data.write_data(folder / "data")
        train(folder, worlds, names)
        found = {
            name: {
                f"{world} {shard}": compared(
                    folder / str(world) / f"{name}-{shard}", folder / "1" / f"{name}-none"
                )
                for world in worlds[1:]
                for shard in ("none", "full")
            }
            for name in names
        }
    told = {"command": command(options), "machine": machine(), "runs": found}
    options.out.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def command(options: argparse.Namespace) -> str:
    """Return what repeats it; a folder is named by what is in it."""
    words = ["python -m benchmarks.ranks_equal"]
    words += ["--model", Path(options.model).name] if options.model else []
    words += ["--only", *options.only] if tuple(options.only) != NAMES else []
    return " ".join([*words, "--out", str(options.out)])


if __name__ == "__main__":
    main()
