"""What one process trains, and several do: all cases in one start of each number of processes.

`torchrun --nproc-per-node N equal_cases.py FOLDER`, or `python equal_cases.py FOLDER`, which is one
process, trains every case into FOLDER/N/CASE, from the files of FOLDER/data; with names behind it,
these cases, whatever the number. `of-4` resumes what four have trained.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

EXPERIMENTS = Path(__file__).parents[2] / "experiments" / "tiny"
METHODS = Path(__file__).parents[2] / "uniapl_cli" / "methods"
WORLDS = (1, 2, 4)
# Where a gradient is as small as what float32 rounds, AdamW's step has either sign, whatever its
# size: this eps keeps it out of the weights. That it is that rounding is shown by exact sums, with
# which none is left at AdamW's own eps; where rollouts are sampled, their log-probabilities
# are rounded by the rows that are decoded beside them, and so by who has which.
COMMON = (
    "optim.eps=1e-4",
    "optim.lr=0.001",
    "training.micro_batch_tokens=130",
    "sources.demonstrations.rows_per_step=5",
    "sources.demonstration_rollouts.micro_batch_tokens=200",
    "sources.rollouts.micro_batch_tokens=200",
    "sources.rollouts.prompts_per_step=3",
    "sources.rollouts.num_generations=3",
    "sources.choices.rows_per_step=5",
    "sources.labels.rows_per_step=5",
    "sampling.max_new_tokens=16",
    "run.save_every=100",
    "run.log_every=1",
    "run.sample_every=1",
    "rewards.verifier.functions.verifier.mode=fraction",
)
# Micro-batches of the same rows for all numbers of ranks: there are at least four.
EXACT = (
    "training.exact_sums=true",
    "training.micro_batch_tokens=70",
    "sources.rollouts.micro_batch_tokens=100",
    "sources.demonstration_rollouts.micro_batch_tokens=100",
    "sources.demonstrations.rows_per_step=5",
)
# What is left of differences shows at once. The norm of parts is rounded otherwise than that of the
# whole, so nothing is scaled by it.
BITS = ("optim.eps=1e-8", "training.max_grad_norm=1000")


@dataclass(frozen=True)
class Case:
    """A run: its method, and what it sets; by the numbers of ranks, and how they hold weights."""

    method: str
    overrides: tuple[str, ...] = ()
    steps: int = 3
    worlds: tuple[int, ...] = WORLDS
    shards: tuple[str, ...] = ("none", "full")

    def names(self, name: str, world: int, *, every: bool = False) -> Iterator[tuple[str, str]]:
        """Yield the name of each run of this case, and `parallel.shard`. every: of any world."""
        if every or world in self.worlds:
            yield from ((f"{name}-{s}", s) for s in (self.shards if world > 1 else ("none",)))


# In order: a rank of four without rows; ranks with one more micro-batch than others. Most are not
# done by four here: benchmarks/ranks_equal.py does that, in minutes.
LONG = {
    "sft": Case("sft", ("sources.demonstrations.rows_per_step=3",)),
    "lora": Case("sft", ("model.adapter.rank=4",), worlds=(1, 2)),
    "grpo": Case(
        "grpo",
        (
            "training.num_iterations=2",
            "rewards.verifier.functions.verifier.mode=all",
            "rewards.verifier.zero_variance=resample",
        ),
        worlds=(1, 2),
    ),
    "unified": Case("unified", ("run.gradients_every=4",), worlds=(1, 2)),
    "chord": Case(
        "chord", ("training.num_iterations=2", "schedules.lambda_adv=0.01"), worlds=(1, 2)
    ),
    "dpo": Case("dpo", worlds=(1, 2)),
    "kto": Case("kto", worlds=(1, 2)),
}
CASES = {name: replace(case, steps=20) for name, case in LONG.items()}
# Of all cases, these are done for so long; of the others, these steps are.
WHOLE, BRIEF = ("sft", "dpo", "grpo"), 8
CASES |= {
    "exact-sft": Case("sft", (*EXACT, *BITS), 20),
    "exact-dpo": Case("dpo", (*EXACT, *BITS), 20, worlds=(1, 2)),
    "exact-unified": Case("unified", EXACT, 20, worlds=(1, 2)),
}
VALIDATION = (
    "validation.every=2",
    "validation.limit=5",
    "validation.prompts=DATA/held.jsonl",
    "validation.demonstrations=DATA/held.jsonl",
    "validation.preferences=DATA/held_pairs.jsonl",
    'validation.benchmarks={"mmlu_ll": {"data": "DATA/mmlu", "shots": 0}}',
    "validation.best=preferences/loss",
)
CASES |= {
    "validated": Case("dpo", VALIDATION, worlds=(1, 2)),
    "one-row": Case("sft", ("sources.demonstrations.rows_per_step=1",)),
    "one-prompt": Case(
        "unified",
        ("sources.rollouts.prompts_per_step=1", "sources.demonstrations.rows_per_step=1"),
        worlds=(1, 4),
    ),
    "two-labels": Case("kto", ("sources.labels.rows_per_step=2",), worlds=(1, 4)),
    "stopped": Case("grpo", worlds=(1, 2)),
    "compared": Case(
        "grpo",
        ("rewards.verifier.functions={compared: {weight: 0.5}, verifier: 1}",),
        worlds=(1, 2),
    ),
    "kl": Case(
        "grpo",
        ("rewards.verifier.functions={kl: -0.1, verifier: 1}", "terms.kl=null"),
        worlds=(1, 2),
    ),
    "asft": Case("asft", worlds=(1, 2)),
    "recomputed": Case("sft", ("training.checkpoint_activations=true",), worlds=(1, 2)),
    "offloaded": Case("sft", ("parallel.offload=true",), worlds=(1, 2), shards=("full",)),
    "polar": Case("polar", worlds=(1, 2)),
    "gad": Case("gad", ("learners.judge.optim={lr: 0.001, eps: 0.0001}",), worlds=(1, 2)),
    "resumed": Case("unified", ("run.save_every=2",), steps=4),
}
# A folder with a model that is to be trained too, for benchmarks/ranks_equal.py.
if "UNIAPL_EQUAL_MODEL" in os.environ:
    REAL = (
        f"model.path={os.environ['UNIAPL_EQUAL_MODEL']}",
        "optim.lr=1e-5",
        "optim.eps=1e-8",
        "sampling.max_new_tokens=8",
        "sources.rollouts.num_generations=2",
        "sources.rollouts.prompts_per_step=2",
    )
    CASES["model"] = Case("chord", REAL, worlds=(1, 2))


def config_of(folder: Path, run: Path, case: Case, shard: str) -> Any:
    """Return the config of a case's run into a folder."""
    from uniapl_cli import load_config

    data = folder / "data"
    few, pairs = data / "few.jsonl", data / "pairs.jsonl"
    own = [f"run.dir={run}", f"training.steps={case.steps}", f"parallel.shard={shard}"]
    method, file = case.method, EXPERIMENTS / f"{case.method}.yaml"
    file = file if file.exists() else EXPERIMENTS / "world.yaml"
    common = list(COMMON)
    if method == "polar":
        files = f"[{data / 'good.jsonl'},{data / 'poor.jsonl'}]"
        common = [one for one in common if one.startswith(("optim", "training", "run"))]
        own += ["polar.init=tiny:base", "sources.comparisons.pairs_per_step=5"]
        own += [f"polar.trajectories={files}", f"polar.heldout={files}"]
        method, file = str(METHODS / "polar.yaml"), EXPERIMENTS / "recipe" / "polar.yaml"
    else:
        own += [f"data.demonstrations={few}", f"data.prompts={few}", f"data.preferences={pairs}"]
    given = [one.replace("DATA", str(data)) for one in case.overrides]
    return load_config(file, [*common, *own, *given], method)


def train_case(folder: Path, run: Path, name: str, shard: str, ranks: Any) -> None:
    """Train a case."""
    from uniapl_cli.commands.pretrain_polar import pretrain_polar
    from uniapl_cli.commands.train import train

    case = CASES[name]
    with short_answers() if name == "stopped" else nullcontext():
        verb: Callable[..., Any] = pretrain_polar if case.method == "polar" else train
        verb(config_of(folder, run, case, shard), ranks=ranks)


@contextmanager
def short_answers() -> Iterator[None]:
    """Have the answers to every other row stop after one token, whoever samples them."""
    from uniapl_cli.generation.local import LocalGenerator

    generate = LocalGenerator.generate

    def cut(self: Any, requests: Any, *more: Any) -> Any:
        few = [replace(one, max_new_tokens=1) if is_short(one.name) else one for one in requests]
        return generate(self, few, *more)

    LocalGenerator.generate = cut  # type: ignore[method-assign]
    try:
        yield
    finally:
        LocalGenerator.generate = generate  # type: ignore[method-assign]


def is_short(origin: str) -> bool:
    """Whether the answers to the row of this origin stop after one token."""
    line = origin.rpartition(":")[2]
    return line.isdecimal() and int(line) % 2 == 0


def compared(rollouts: Sequence[Any]) -> list[float]:
    """Return the place of each rollout's length among all of the step, from 0 to 1."""
    lengths = [len(rollout.completion.token_ids) for rollout in rollouts]
    return [sum(one < other for one in lengths) / len(lengths) for other in lengths]


def step_2_of(source: Path, run: Path) -> None:
    """Make a run that was stopped after the second of its four steps."""
    shutil.copytree(source, run)
    shutil.rmtree(run / "final")
    shutil.rmtree(run / "checkpoints" / "step-00000004")


def go_on(folder: Path, world: int, origin: int, ranks: Any) -> None:
    """Resume, by so many ranks, what others have trained, from its second of four steps."""
    for _, shard in CASES["resumed"].names("", origin):
        source = folder / str(origin) / f"resumed-{shard}"
        run = folder / str(world) / f"resumed-{shard}-of-{origin}"
        if ranks.first:
            step_2_of(source, run)
        ranks.gather(None, "the copy")
        train_case(folder, run, "resumed", shard, ranks)


def main() -> None:
    from uniapl_cli.ranks.joining import joined
    from uniapl_cli.rewards import reward_functions

    reward_functions.register("compared")(compared)
    folder, only = Path(sys.argv[1]), sys.argv[2:]
    with joined(True, lambda error: None) as ranks:
        for name in only or [*CASES, *(("of-1", "of-2") if ranks.world == 2 else ())]:
            if name.startswith("of-"):
                go_on(folder, ranks.world, int(name.removeprefix("of-")), ranks)
                continue
            if not only and name not in WHOLE:
                CASES[name] = replace(CASES[name], steps=min(CASES[name].steps, BRIEF))
            for run, shard in CASES[name].names(name, ranks.world, every=bool(only)):
                train_case(folder, folder / str(ranks.world) / run, name, shard, ranks)


if __name__ == "__main__":
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    main()
