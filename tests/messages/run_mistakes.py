"""What goes wrong while something runs: updates, checkpoints, health, servers, plug-ins."""

from __future__ import annotations

import asyncio
import errno
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from httpx2 import AsyncClient, MockTransport, Response
from mistake import PLACED, Mistake
from torch import OutOfMemoryError

from uniapl_cli import load_config
from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.cli.session import line_of
from uniapl_cli.commands.status import status
from uniapl_cli.commands.track import check_trackers, track
from uniapl_cli.config.render import to_yaml
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.nccl import NcclTransport
from uniapl_cli.generation.served.probe import disagreement, likely_cause, wrong_mode
from uniapl_cli.generation.served.vllm import unknown_model
from uniapl_cli.generation.served.workers import gave_up
from uniapl_cli.http import RequestFailed, post
from uniapl_cli.monitoring.check import RunFacts
from uniapl_cli.monitoring.health import Health
from uniapl_cli.monitoring.idle import IdleCounter
from uniapl_cli.plugins import load_plugins
from uniapl_cli.rewards.reward import WeightedFunction
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.statistic import Mean
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.updater import non_finite
from uniapl_cli.types import Sampling

STEPS = 60
LENGTH = "rollouts/completions/mean_length"
CLIPPED = "rollouts/completions/clipped_ratio"
EQUAL = "rollouts/verifier/frac_reward_zero_std"
HEALTHY = {
    "imitation": 0.6, "preference/clip_ratio": 0.02, "preference/sampler_gap": 1e-3, "kl/kl": 0.01,
    "grad_norm": 0.3, LENGTH: 180.0, CLIPPED: 0.05, "rollouts/entropy": 0.4,
    "rollouts/verifier/mean": 0.3, EQUAL: 0.5,
}  # fmt: skip
FACTS = RunFacts(
    surrogate_terms={"preference": "verifier", "adversarial": "anchor"},
    contrasting=["verifier"],
    kl_terms=["kl"],
    nll_terms=["imitation"],
    max_new_tokens=256,
    max_grad_norm=1.0,
    corrected={"adversarial": "sources.rollouts.correction=sequence"},
)
# The metrics from step 30 on.
UNHEALTHY: dict[str, dict[str, float]] = {
    "equal rewards": {EQUAL: 1.0, "rollouts/verifier/mean": 0.0},
    "truncated": {CLIPPED: 0.9},
    "far from the reference": {"kl/kl": 2.5},
    "longer": {LENGTH: 900.0},
    "shorter": {LENGTH: 9.0},
    "one response": {"rollouts/entropy": 0.005},
    "noise": {"rollouts/entropy": 3.0},
    "unlearnt": {"imitation": 4.0},
    "another sampler": {"preference/sampler_gap": 0.4},
    "another sampler, corrected": {"adversarial/sampler_gap": 0.4},
    "few weigh": {"adversarial/effective_sample_size": 0.2},
    "clipped": {"preference/clip_ratio": 0.5},
    "a spike": {"grad_norm": 25.0},
}


def health(metrics: Mapping[str, float], since: int = 30) -> str:
    watcher = Health(FACTS)
    lines = []
    for step in range(1, STEPS + 1):
        lines += watcher.examine(step, {**HEALTHY, **(metrics if step >= since else {})})
    return lines[0]


def overoptimised() -> str:
    watcher, lines = Health(replace(FACTS, watched="prompts/prompt_strict")), []
    for number in range(5):
        watcher.validated({"prompts/prompt_strict": 0.6 - 0.05 * number})
        rewarded = {**HEALTHY, "rollouts/verifier/mean": 0.3 + 0.1 * number}
        lines += watcher.examine(number + 1, rewarded)
    return lines[0]


def idle(metrics: Mapping[str, float]) -> None:
    watcher = IdleCounter(2)
    for step in (1, 2):
        watcher.add(step, 0.0, metrics)


@cache
def policy() -> Any:
    return new_policy()


def new_policy() -> Any:
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.models import new_model
    from uniapl_cli.training.policy import Policy

    tokenizer = load_tokenizer(resolve("tiny:base"))
    return Policy(new_model(tokenizer, hidden=16, layers=1, seed=0), tokenizer)


def resumed(damage: Callable[[Path], object], rows: int = 4) -> None:
    """Save a checkpoint of a stream of four rows, damage it, and go on from it."""
    optimizer = optimizers.bind(optimizers.options("adamw"))(policy().model)
    folder = Checkpoints(Path("checkpoints"), keep=2)
    folder.save(1, State(policy(), optimizer, {"prompts": Stream("prompts", range(4), 2, 0)}))
    damage(next(Path("checkpoints").glob("step-*")))
    folder.resume(State(policy(), optimizer, {"prompts": Stream("prompts", range(rows), 2, 0)}))


def damaged(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").write_bytes(b"")


def another_version(checkpoint: Path) -> None:
    import hashlib

    state = checkpoint / "state.json"
    state.write_text(state.read_text().replace('"version": ', '"version": 9'))
    sums = json.loads((checkpoint / "manifest.json").read_text())
    sums["state.json"] = hashlib.sha256(state.read_bytes()).hexdigest()
    (checkpoint / "manifest.json").write_text(json.dumps(sums))


def older_metrics() -> None:
    Path("run").mkdir()
    Path("run/metrics.jsonl").write_text('{"step": 1}\n')
    RunDirectory(Path("run")).logged()


BEGUN = ("model.path=tiny:base", "training.steps=4", "data.demonstrations=a.jsonl", "run.dir=run")


def goes_on(*overrides: str, lacks: str = "") -> None:
    """Go on with a run, after step 4, by a config with other values."""
    from uniapl_cli.commands.method import plan
    from uniapl_cli.commands.reads import keys_of_training
    from uniapl_cli.commands.run import check_directory, check_inputs

    began, run = load_config(None, [*BEGUN, *overrides[:-1]], "sft"), RunDirectory(Path("run"))
    (run.checkpoints / "step-00000004").mkdir(parents=True)
    run.write("config.yaml", to_yaml(began))
    run.write("inputs.json", '{"data.demonstrations": {"path": "a.jsonl", "digest": "1"}}')
    if lacks:
        (run.path / lacks).unlink()
    now = load_config(None, [*BEGUN, *overrides], "sft")
    check_directory(run, now, keys_of_training(now, plan(now)))
    check_inputs(run, now, {"data.demonstrations": {"path": "a.jsonl", "digest": "2"}})


def diverged() -> None:
    wrong = new_policy()
    name, weights = list(wrong.model.named_parameters())[-1]
    weights.data.view(-1)[0] = math.nan
    optimizer = optimizers.bind(optimizers.options("adamw"))(wrong.model)
    Checkpoints(Path("checkpoints"), keep=2).save(3, State(wrong, optimizer, {}))


def locked() -> None:
    runs = [RunDirectory(Path("run")) for _ in range(2)]
    for run in runs:
        run.open()


def locked_rows() -> None:
    with AppendOnlyRows(Path("out.jsonl"), {}, "teach.out"):
        AppendOnlyRows(Path("out.jsonl"), {}, "teach.out").__enter__()


def without_package() -> None:
    with patch.dict(sys.modules, wandb=None):
        check_trackers(load_config(None, ["run.trackers=[wandb]"], "sft"))


ROLLOUTS: Any = [SimpleNamespace(example=SimpleNamespace(origin="rows.jsonl:7", id="7"))] * 2


def rewarded(function: Any) -> None:
    WeightedFunction("mine", 1.0, function)(ROLLOUTS)


def refusal(status: int, text: str) -> str:
    """What is said of a server that answers with this status."""

    async def ask() -> None:
        transport = MockTransport(lambda request: Response(status, text=text))
        async with AsyncClient(transport=transport) as client:
            await post(client, "http://h:1/v1", {}, timeout=1, key="sk-1")

    try:
        asyncio.run(ask())
    except RequestFailed as failure:
        return failure.message
    raise AssertionError("it was not refused")


def served(failure: RequestFailed, *, times: int = 9) -> None:
    raise gave_up(VllmServer("http://h:8000"), failure, times, "rows.jsonl:7")


def out_of_step(gap: float, *, kept: bool = False, tied: bool = False) -> None:
    """What is said of a server without the policy's weights."""
    head = SimpleNamespace(weight=0)
    other = head if tied else SimpleNamespace(weight=1)
    model = SimpleNamespace(get_output_embeddings=lambda: head, get_input_embeddings=lambda: other)
    raise disagreement(
        VllmServer("http://h:8000"), gap, 1e-3, likely_cause(model, torch.float32, gap, kept)
    )


def no_vllm() -> None:
    with patch("uniapl_cli.generation.served.nccl.find_spec", lambda name: None):
        NcclTransport()


OUT_OF_STEP: Mapping[str, tuple[float, Mapping[str, Any]]] = {
    "weights of before": (0.3, {"kept": True}),
    "another dtype": (0.04, {}),
    "rounding": (2e-6, {}),
    "a tied head": (0.3, {"tied": True}),
    "other weights": (0.3, {}),
}
GOING_ON = {
    "with other data": (),
    "by another config": ("seed=1",),
    "to fewer steps": ("training.steps=3",),
    "to more steps than its schedule": ("optim.lr={kind: cosine, peak: 1e-3}", "training.steps=8"),
    "on another day": ("chat.date=2026-01-01", "chat.date=2026-01-02"),
}


PLUGINS = {
    "that is no Python": ("def (:\n", "mine.py", True),
    "that fails": ("import json\n\n1 / 0\n", "mine.py", True),
    "of a name that is taken": (
        "from uniapl_cli.rewards.functions import reward_functions\n\n\n"
        "@reward_functions.register('verifier')\ndef mine(rollouts):\n    return []\n",
        "mine.py", True,
    ),
    "that is no .py": ("", "mine.txt", False),
}  # fmt: skip


def plugin(code: str, name: str) -> None:
    Path(name).write_text(code)
    load_plugins([Path(name)])


MISTAKES: dict[str, Mistake] = {
    "machine, no room": Mistake(
        lambda: line_of(OSError(errno.ENOSPC, "No space left on device", "run/metrics.jsonl"))
    ),
    "machine, no room on the GPU": Mistake(lambda: line_of(OutOfMemoryError())),
    **{f"health, {name}": Mistake(partial(health, metrics)) for name, metrics in UNHEALTHY.items()},
    "health, clipped at every step": Mistake(partial(health, {"grad_norm": 40.0}, since=1)),
    "health, held-out rows get worse": Mistake(overoptimised),
    "vLLM, answers that are none": Mistake(
        lambda: served(VllmServer("http://h:8000").unusable("no choices")), ("where", "got")
    ),
    "vLLM, a request that it refuses": Mistake(
        lambda: served(RequestFailed("HTTP 400", "HTTP 400 no", repeatable=False), times=1),
        ("where", "got"),
    ),
    "vLLM, a model that it does not have": Mistake(
        lambda: _raise(unknown_model(VllmServer("http://h:8000"), "mine", ["a", "b"])),
        ("where", "key", "got", "allowed"),
    ),
    "vLLM, several models": Mistake(
        lambda: _raise(unknown_model(VllmServer("http://h:8000"), None, ["a", "b"])),
        ("where", "key", "allowed"),
    ),
    **{
        f"vLLM, {name}": Mistake(partial(out_of_step, gap, **why), ("where", "key", "got"))
        for name, (gap, why) in OUT_OF_STEP.items()
    },
    "vLLM, another temperature's log-probabilities": Mistake(
        lambda: _raise(wrong_mode(VllmServer("http://h:8000"), 0.3, 1e-3, Sampling())),
        ("where", "key", "got"),
    ),
    "vLLM, weights over NCCL without it": Mistake(no_vllm, ("key", "got")),
    "idle, equal rewards": Mistake(
        partial(idle, {EQUAL: 1.0, "rollouts/verifier/mean": 0.0}),
        ("got",),
    ),
    "idle, all truncated": Mistake(partial(idle, {CLIPPED: 1.0}), ("got",)),
    "idle, neither": Mistake(partial(idle, {CLIPPED: 0.5}), ("got",)),
    "idle, without rollouts": Mistake(partial(idle, {"imitation": 0.0}), ("got",)),
    "a gradient that is not finite": Mistake(
        lambda: _raise(non_finite(7, math.nan, {"kl": Mean(1.0, 2.0)})), ("got",)
    ),
    "checkpoint, damaged": Mistake(lambda: resumed(damaged), ("got",)),
    "checkpoint, of another version": Mistake(lambda: resumed(another_version), ("got", "allowed")),
    "checkpoint, of other data": Mistake(
        lambda: resumed(lambda c: None, rows=5), ("got", "allowed")
    ),
    "checkpoint, weights that are not finite": Mistake(diverged, ("got",)),
    **{
        f"going on, {name}": Mistake(partial(goes_on, *overrides), ("key",))
        for name, overrides in GOING_ON.items()
    },
    "going on, without its config": Mistake(partial(goes_on, lacks="config.yaml"), ("key",)),
    "going on, without its inputs": Mistake(partial(goes_on, lacks="inputs.json"), ("key",)),
    "metrics, of another version": Mistake(older_metrics, (*PLACED, "key")),
    "run, locked": Mistake(locked, ("key", "got")),
    "run, no run to tell the status of": Mistake(lambda: status(Path("runs"))),
    "track, no run": Mistake(lambda: str(track(Path("runs"))), ("got",)),
    "tracker, no package": Mistake(without_package, ("key", "got")),
    "rows, locked": Mistake(locked_rows, ("got",)),
    "reward function, fails": Mistake(lambda: rewarded(lambda rollouts: 1 / 0), ("where",)),
    "reward function, gives too few": Mistake(lambda: rewarded(lambda rollouts: [1.0]), ("got",)),
    "server, a bad request": Mistake(partial(refusal, 400, "no field top_k")),
    "server, the key is wrong": Mistake(partial(refusal, 401, "key sk-1 is unknown")),
    **{
        f"plug-in, {name}": Mistake(partial(plugin, code, file), PLACED if placed else ("where",))
        for name, (code, file, placed) in PLUGINS.items()
    },
    "plug-in, not there": Mistake(lambda: load_plugins([Path("absent.py")]), ("where",)),
}


def _raise(error: Exception) -> None:
    raise error
