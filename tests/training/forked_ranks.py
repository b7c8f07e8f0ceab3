"""Ranks that train a tiny model, each a fork of one process that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.training import optim
from uniapl_cli.training.average import Average
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.optim import optimizers, with_own_moments
from uniapl_cli.training.streams import Stream

PATIENCE = 60
IMPORTED = ["uniapl_cli.training.checkpoint", "transformers.models.qwen3.modeling_qwen3"]
OPTIONS = {"betas": [0.9, 0.99], "weight_decay": 0.1}


class Gloo(Ranks):
    """Ranks of one machine that gather, and do nothing else."""

    def __init__(self, rank: int, world: int, sharded: bool = True) -> None:
        self.rank = self.local_rank = rank
        self.world = self.local_world = world
        self.sharded = sharded
        self._group = dist.new_group(backend="gloo")

    def gather(self, part: Any, doing: str) -> list[Any]:
        parts = [part] * self.world
        dist.all_gather_object(parts, part, group=self._group)
        return parts

    def of_first(self, make: Any, doing: str) -> Any:
        return self.gather(make() if self.first else None, doing)[0]


# AdamW of two moments over the same weights, each of which makes every second update.
TWO = "two"
# AdamW, and a moving average of the weights.
AVERAGED = "averaged"


class Trained:
    """A model of odd sizes, its optimiser and a stream; whatever trains them, the steps are equal.

    Of four ranks, two hold nothing of the norms of two numbers.
    """

    def __init__(self, ranks: Ranks, folder: Path, optimizer: str = "adamw", seed: int = 0) -> None:
        from uniapl_cli.loading import load_tokenizer
        from uniapl_cli.tiny.assets import resolve
        from uniapl_cli.tiny.models import new_model

        tokenizer = load_tokenizer(resolve("tiny:base"))
        self.model, copy = (new_model(tokenizer, hidden=8, layers=1, seed=seed) for _ in range(2))
        for model in (self.model, copy) if ranks.sharded else ():
            for layer in model.model.layers:
                fully_shard(layer)
            fully_shard(model, reshard_after_forward=True)
        kind = "adamw" if optimizer in (TWO, AVERAGED) else optimizer
        make = optimizers.bind(optimizers.options(kind, **OPTIONS))
        self.optimizer = make(self.model)
        if optimizer == TWO:
            self.optimizer = with_own_moments(self.optimizer, {"own": make(self.model)})
        self.stream = Stream("rows", range(5), 2, 0)
        trainable = SimpleNamespace(
            model=self.model, tokenizer=tokenizer, device=torch.device("cpu"), ranks=ranks
        )
        policy: Any = SimpleNamespace(model=copy)
        slow = Average(policy, 0.3, optim.trained(self.model))
        averages = {"slow": slow} if optimizer == AVERAGED else {}
        self.state = State(trainable, self.optimizer, {"rows": self.stream}, averages=averages)
        self.checkpoints = Checkpoints(folder, keep=2)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            rows = torch.tensor([[7 * item + k for k in range(6)] for item in self.stream.next()])
            logits = self.model(input_ids=rows[:, :-1]).logits
            torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), rows[:, 1:].flatten()
            ).backward()
            own = len(set(self.optimizer.of)) > 1 and self.stream.drawn % 4 == 0
            self.optimizer.step(1e-2, "own" if own else "")
            self.state.follow()

    def save(self, step: int, ends: bool = False) -> None:
        self.checkpoints.save(step, self.state, ends=ends)

    def resume(self) -> int:
        return self.checkpoints.resume(self.state)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything, whole: weights, averages and the optimiser's state."""
        found = {name: weight.detach() for name, weight in self.state.weights.items()}
        names = {weight: name for name, weight in self.state.trained.items()}
        for (part, _), of in zip(self.optimizer.parts, self.optimizer.of, strict=True):
            for weight, values in part.state.items():
                found |= {f"{names[weight]}:{of}:{key}": value for key, value in values.items()}
        return {
            name: (t.full_tensor() if hasattr(t, "full_tensor") else t).clone()
            for name, t in found.items()
        }


def alone(folder: Path, **options: Any) -> Trained:
    """One process without any group."""
    return Trained(ALONE, folder, **options)


def run(world: int, job: Any, *arguments: Any, sharded: bool = True) -> list[Any]:
    """Return what job(ranks, *arguments) returns on each rank; for a killed one, None."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(IMPORTED)
    store, ranks = Path(os.environ["XDG_CACHE_HOME"]) / f"store-{os.urandom(8).hex()}", []
    for rank in range(world):
        here, there = forks.Pipe()
        given = (there, rank, world, sharded, str(store), job, arguments)
        process = forks.Process(target=_rank, args=given, daemon=True)
        process.start()
        there.close()
        ranks.append((process, here))
    results = [_result(here) for _, here in ranks]
    for process, _ in ranks:
        process.join(PATIENCE)
        process.kill()
    store.unlink(missing_ok=True)
    return results


def _result(here: Connection) -> Any:
    assert here.poll(PATIENCE), "a rank hangs"
    try:
        error, result = pickle.loads(here.recv_bytes())
    except EOFError:
        return None
    assert error is None, error
    return result


def _rank(there: Connection, rank: int, world: int, sharded: bool, store: str, job, arguments):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    try:
        said = None, job(Gloo(rank, world, sharded), *arguments)
    except BaseException:  # noqa: BLE001  what went wrong is the test's to tell
        said = traceback.format_exc(), None
    there.send_bytes(pickle.dumps(said))  # send() would leave tensors in memory that ends with it
    there.close()
    os._exit(0)
