"""Short runs of the tiny model by several ranks."""

import hashlib
import json
import shlex
from pathlib import Path

from launched_ranks import Ended, RankServer, Running

SHORT = shlex.split(
    "training.steps=4 training.micro_batch_tokens=100 sources.rollouts.prompts_per_step=2 "
    "sources.rollouts.num_generations=4 sources.demonstrations.rows_per_step=4 "
    "sampling.max_new_tokens=16 run.save_every=2 run.log_every=1 optim.lr=0.003 "
    "data.demonstrations=few.jsonl data.prompts=few.jsonl "
    "training.max_idle_updates=0 rewards.verifier.functions.verifier.mode=fraction"
)


def begin(server: RankServer, run: str, *more: str, method: str = "grpo", **job: object) -> Running:
    """Start a short run into a folder."""
    command = ("train", method, "--config", f"tiny:{method}", *SHORT, f"run.dir={run}")
    return server.start(*command, *more, **job)


def train(server: RankServer, run: str, *more: str, **job: object) -> Ended:
    """Train to the end."""
    return begin(server, run, *more, **job).ended()


def steps(run: Path) -> list[int]:
    """The steps that are logged, in their order."""
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def checkpoints(run: Path) -> list[str]:
    """The checkpoints that there are."""
    return sorted(path.name for path in (run / "checkpoints").glob("step-*"))


def weights(run: Path) -> str:
    """A digest of the final model's weights."""
    return hashlib.sha256((run / "final" / "model.safetensors").read_bytes()).hexdigest()
