"""What `uniapl plan` says of Qwen3's shapes on 1, 8 and 16 H100s.

    python -m benchmarks.planned_ranks --out benchmarks/results/planned_ranks.json
    python -m benchmarks.planned_ranks --table benchmarks/results/planned_ranks.json

The first makes the plans: half a minute each; it needs no weights and no network. What does not fit
is planned with more and more changes, until it does. The second prints the result as
docs/running.md has it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines.shapes import QWEN3

# What their config.json say, as far as they differ from Qwen3-0.6B's.
SHAPES: dict[str, dict[str, Any]] = {
    "0.6B": {},
    "4B": {
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
    },
    "14B": {
        "hidden_size": 5120,
        "intermediate_size": 17408,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "tie_word_embeddings": False,
    },
}
RANKS = (1, 8, 16)
EXPERIMENT = "experiments/base/qwen3-0.6b.yaml"
# One on top of the other.
CHANGES = (
    "training.checkpoint_activations=true",
    "generation.kind=vllm generation.addresses=[127.0.0.1:8000]",
)
HEAD = "| model, cards | `parallel.shard` | GiB a card | GB moved | seconds | against one |"


def write_config(folder: Path, shape: dict[str, Any]) -> None:
    """Write the config.json of a shape."""
    from transformers import Qwen3Config

    Qwen3Config(
        **{**QWEN3, **shape}, dtype="bfloat16", architectures=["Qwen3ForCausalLM"]
    ).save_pretrained(folder)


def planned(name: str, ranks: int, method: str, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the plan of a shape on so many H100s."""
    from uniapl_cli import load_config
    from uniapl_cli.commands import plan

    plan.levers = lambda *_: []  # what is changed is said here: all that a plan tries take minutes
    with tempfile.TemporaryDirectory() as folder:
        write_config(Path(folder), SHAPES[name])
        words = [word for change in changes for word in change.split()]
        config = load_config(EXPERIMENT, [f"model.path={folder}", *words], method)
        made = plan.plan(config, gpu="h100", ranks=ranks)
    return made | {"model": f"Qwen3-{name}", "set": list(changes)}


def changed(name: str, method: str) -> Iterator[dict[str, Any]]:
    """Yield the plans of a shape; of what does not fit, those with changes too, until one does."""
    for ranks in RANKS:
        found = planned(name, ranks, method)
        yield found
        for number in range(1, len(CHANGES) + 1):
            if found["memory"]["fits"]:
                break
            found = planned(name, ranks, method, CHANGES[:number])
            yield found


def row(plan: dict[str, Any]) -> str:
    """Return a line of the table."""
    memory, ranks = plan["memory"], plan["ranks"]
    scaled = ranks["scaling"]
    moved = sum(ranks["gb_moved"].values())
    fits = "" if memory["fits"] else ", does not fit"
    name = f"{plan['model']}, {ranks['ranks']}"
    cells = [
        "... and " + f"`{plan['set'][-1].split()[0]}`" if plan["set"] else name,
        ranks["shard"] if scaled else "",
        f"{memory['peak_gib']:.3g} in {memory['phase']}{fits}",
        f"{moved:.3g}" if scaled else "",
        f"{sum(plan['seconds'].values()):.3g}",
        f"{scaled['times_as_fast']:.3g} x, {scaled['efficiency']:.0%}" if scaled else "",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--method", default="grpo")
    parser.add_argument("--only", default=",".join(SHAPES))
    asked = parser.parse_args()
    if asked.table:
        plans = json.loads(asked.table.read_text())["plans"]
        print("\n".join([HEAD, "|---|---|---|---|---|---|", *map(row, plans)]))
        return
    plans = []
    for name in asked.only.split(","):
        for plan in changed(name, asked.method):
            plans.append(plan)
            print(row(plan), flush=True)
    command = "python -m benchmarks.planned_ranks --out benchmarks/results/planned_ranks.json"
    text = json.dumps({"command": command, "experiment": EXPERIMENT, "plans": plans}, indent=1)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
