"""How much of a step is padding, and so what packing rows could save at the most.

    python -m benchmarks.padding ROWS.jsonl MODEL > benchmarks/results/padding.json

ROWS.jsonl has `prompt` and `response`; MODEL is a folder with a tokenizer. Steps are drawn from the
rows with replacement. `padding` is the share of the computed tokens that are none, `rectangle` what
it would be if a step were one batch as wide as its longest row.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.partition import TOKENS, partition, pass_tokens
from uniapl_cli.types import Message

STEPS = 200


def lengths_of(file: Path, chat: Chat) -> list[int]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        len(chat.prompt_ids([Message("user", row["prompt"])]))
        + len(chat.response_ids(row["response"]))
        for row in rows
    ]


def shares(lengths: Sequence[int], device: str, rows: int) -> dict[str, Any]:
    draws, padding, rectangle, passes = random.Random(0), [], [], []
    for _ in range(STEPS):
        drawn = torch.tensor(draws.choices(lengths, k=rows))
        groups = partition(drawn, TOKENS[device], pass_tokens(device))
        computed = sum(int(drawn[group].max()) * len(group) for group in groups)
        real = int(drawn.sum())
        padding.append(1 - real / computed)
        rectangle.append(1 - real / (int(drawn.max()) * rows))
        passes.append(len(groups))
    return {
        "device": device,
        "rows": rows,
        "micro_batch_tokens": TOKENS[device],
        "padding": round(statistics.fmean(padding), 4),
        "rectangle": round(statistics.fmean(rectangle), 4),
        "passes": round(statistics.fmean(passes), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("model", type=Path)
    asked = parser.parse_args()
    lengths = lengths_of(asked.rows, Chat(load_tokenizer(asked.model)))
    cases = [("cpu", 32), ("cuda", 32), ("cuda", 128), ("cuda", 256)]
    result = {
        "command": "python -m benchmarks.padding responses.jsonl work/smollm2",
        "rows": len(lengths),
        "tokens": {"mean": round(statistics.fmean(lengths), 1), "most": max(lengths)},
        "steps": [shares(lengths, *case) for case in cases],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
