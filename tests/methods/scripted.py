"""Short runs of every packaged method, whose rollouts are written beforehand: steps.json.

Nothing is sampled, so another machine's rounding changes no token, and the figures of the first
steps can be kept. `python tests/methods/scripted.py --write` rewrites them, as `make style` does.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Before anything imports torch or transformers, as tests/conftest.py has it.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

from uniapl_cli import load_config  # noqa: E402
from uniapl_cli.commands import parts  # noqa: E402
from uniapl_cli.commands.train import train  # noqa: E402
from uniapl_cli.config.methods import packaged  # noqa: E402
from uniapl_cli.files import write_rows  # noqa: E402
from uniapl_cli.rewards.reference import RolloutLogps  # noqa: E402
from uniapl_cli.tiny.assets import resolve  # noqa: E402
from uniapl_cli.tiny.oracle import demonstrations  # noqa: E402
from uniapl_cli.types import Completion, Example, Rollout  # noqa: E402

GOLDEN = Path(__file__).with_name("steps.json")
TOOK = ("seconds/", "tokens_per_second", "memory_gib")
# A first step of AdamW is as large for a gradient that is rounding as for any other, but for eps.
SETTINGS = (
    "training.micro_batch_tokens=200",
    "sources.demonstrations.rows_per_step=4",
    "sources.rollouts.prompts_per_step=3",
    "sources.rollouts.num_generations=4",
    "sources.choices.rows_per_step=4",
    "sources.labels.rows_per_step=4",
    "sampling.max_new_tokens=48",
    "run.save_every=1",
    "run.log_every=1",
    "optim.lr=0.001",
    "optim.eps=0.0001",
)
# What a method needs beside the embedded world's settings.
NEEDS: Mapping[str, Sequence[str]] = {
    "exgrpo": ("sources.past.size=2",),
    "gad": ("learners.judge.optim.lr=0.001", "learners.judge.optim.eps=0.0001"),
    "relift": ("sources.hard.size=2", "sources.hard.rows=right_share < 1"),
    "sasr": ("schedules.share.warmup_steps=1",),
}


class Scripted:
    """A generator whose answers are written: each seed takes one of those to the prompt's row."""

    metrics: Mapping[str, float] = {}

    def __init__(self, policy: Any, chat: Any, answers: Sequence[Sequence[str]]) -> None:
        self.policy, self.chat = policy, chat
        self.answers = [[tuple(chat.response_ids(text)) for text in texts] for texts in answers]

    def follow(self, policy: Any) -> None:
        """Do nothing: the answers stay what they are."""

    def generate(
        self, requests: Sequence[Any], sampling: Any, progress: Any = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield the answers of each request, with the policy's log-probabilities."""
        read = RolloutLogps(
            self.policy, self.policy.device, self.chat.tokenizer.pad_token_id, 1.0, 4096
        )
        for index, request in enumerate(requests):
            row = int(request.name.rpartition(":")[2]) - 1
            longest = request.max_new_tokens or sampling.max_new_tokens
            written = [self.answers[row][seed % len(self.answers[row])] for seed in request.seeds]
            cut = [ids[:longest] for ids in written]
            whole = [
                Completion(self.chat.text(ids), ids, (), "stop" if ids == full else "length")
                for ids, full in zip(cut, written, strict=True)
            ]
            rollouts = [Rollout(Example("", ()), request.prompt_ids, one, 0) for one in whole]
            yield (
                index,
                [
                    Completion(one.text, one.token_ids, tuple(logps), one.finish_reason)
                    for one, logps in zip(whole, read(rollouts), strict=True)
                ],
            )


def write_data(folder: Path, rows: int = 12) -> list[list[str]]:
    """Write rows and pairs into a folder; return the answers that rollouts to each row take."""
    lines = Path(resolve("tiny:train")).read_text("utf-8").splitlines()[:rows]
    prompts = [json.loads(line) for line in lines]
    good, other = demonstrations(prompts, 1), demonstrations(prompts, 2)
    poor, worse = demonstrations(prompts, 3, ignore=0.9), demonstrations(prompts, 4, ignore=0.9)
    write_rows(folder / "rows.jsonl", good)
    sides = zip(good, poor, strict=True)
    pairs = [{**one, "chosen": one["response"], "rejected": two["response"]} for one, two in sides]
    write_rows(folder / "pairs.jsonl", pairs)
    ways = zip(other, poor, worse, strict=True)
    return [[one["response"] for one in row] for row in ways]


def run(method: str, folder: Path, *overrides: str) -> Path:
    """Train a method in a folder with its data there; return the run's folder."""
    answers = write_data(folder)
    data = [f"data.{name}={folder / 'rows.jsonl'}" for name in ("demonstrations", "prompts")]
    paths = [*data, f"data.preferences={folder / 'pairs.jsonl'}", f"run.dir={folder / 'run'}"]
    settings = [*SETTINGS, *NEEDS.get(method, ()), *paths, *overrides]
    config = load_config(Path("tiny:unified"), settings, method)

    def scripted(config: Any, policy: Any, chat: Any, *_: Any) -> Scripted:
        return Scripted(policy, chat, answers)

    with patch.object(parts, "training_generator", scripted):
        train(config)
    return folder / "run"


def figures(folder: Path) -> list[dict[str, float]]:
    """Return what a run logged of each step, but for how long it took."""
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in row.items() if not k.startswith(TOOK)} for row in rows]


def first_steps(method: str) -> list[dict[str, float]]:
    """Return the figures of a method's first three steps, to six digits."""
    with tempfile.TemporaryDirectory() as folder:
        found = figures(run(method, Path(folder), "training.steps=3"))
    return [{k: float(f"{v:.6g}") for k, v in row.items() if kept(k)} for row in found]


def kept(name: str) -> bool:
    """Whether a figure is a method's own: no rounding, no property of the answers alone."""
    if name in ("version", "step", "lr"):
        return False
    return not re.search(r"sampler_gap|effective_sample|clip_ratio|completions/|_std$|/std$", name)


def render(steps: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Write the figures, a line a step."""
    methods = []
    for name, rows in steps.items():
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        methods.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(methods) + "\n}\n"


if __name__ == "__main__":
    text = render({method: first_steps(method) for method in packaged()})
    if "--write" in sys.argv:
        GOLDEN.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
