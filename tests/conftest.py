"""What tests all over the package share: random tiny policies, and short runs on shipped models."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

# Before anything imports torch or transformers: models this small are six times slower on two
# threads, nothing is to be fetched, and nothing but uniapl talks on stderr.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}

# What the program keeps for the user is kept away from the user's own; what other packages keep
# there takes long to make anew.
CACHE = tempfile.mkdtemp(prefix="uniapl-cache-")
USERS = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
os.environ.setdefault("HF_HOME", f"{USERS}/huggingface")
os.environ.setdefault("MPLCONFIGDIR", f"{USERS}/matplotlib")
os.environ["XDG_CACHE_HOME"] = CACHE

# What is started in the background of a script ignores Ctrl-C, and so would the program.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXPERIMENTS = Path(__file__).parent.parent / "experiments" / "tiny"

# Four steps that take half a second. Fractions, so that four rollouts a prompt differ in reward.
SHORT = (
    "training.steps=4",
    "training.micro_batch_tokens=100",
    "sources.demonstrations.rows_per_step=4",
    "sources.rollouts.prompts_per_step=2",
    "sources.rollouts.num_generations=4",
    "sources.choices.rows_per_step=4",
    "sources.labels.rows_per_step=4",
    "sampling.max_new_tokens=16",
    "run.save_every=2",
    "run.log_every=1",
    "optim.lr=0.003",
)
FRACTION = "rewards.verifier.functions.verifier.mode=fraction"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Fail, and say where, if something that a test left keeps the process from ending.

    A worker of pytest-xdist waits for the others, and is ended from outside.
    """
    shutil.rmtree(CACHE, ignore_errors=True)
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(300, exit=True)


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Skip what takes minutes and all cores, unless it is asked for by its mark."""
    if "ranks" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("ranks"):
            item.add_marker(pytest.mark.skip(reason="asked for by `make test-ranks`"))


@pytest.fixture(scope="session", autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail, and say where, if a thread that a test left would keep the process from ending."""
    before = set(threading.enumerate())
    yield
    gc.collect()  # an executor that nobody has any more ends its idle threads
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in left:
        thread.join(10)
    frames = sys._current_frames()
    stacks = [traceback.format_stack(frames[t.ident]) for t in left if t.ident in frames]
    assert not stacks, "".join(line for stack in stacks for line in stack)


@pytest.fixture(scope="session")
def programs() -> Iterator[Any]:
    """programs.start(words, cwd): uniapl in a process of its own, which imports nothing anew."""
    from programs import Programs

    started = Programs()
    yield started
    started.close()


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve

    return load_tokenizer(resolve("tiny:base"))


@pytest.fixture(scope="session")
def new_tokenizer() -> Callable[..., Any]:
    """new_tokenizer(special, template, plain): of few merges; `special` is eos, bos and others."""
    import small_tokenizers

    return small_tokenizers.new_tokenizer


@pytest.fixture(scope="session")
def new_policy(tokenizer: Any) -> Callable[..., Any]:
    """new_policy(seed): a random policy of one narrow layer."""
    from uniapl_cli.tiny.models import new_model
    from uniapl_cli.training.policy import Policy

    return lambda seed=0: Policy(new_model(tokenizer, hidden=16, layers=1, seed=seed), tokenizer)


@pytest.fixture(scope="session")
def new_batch() -> Callable[..., Any]:
    """new_batch(lengths, seed): random tokens whose row i has `lengths[i]` places that count."""
    import torch

    from uniapl_cli.tensors import TokenBatch

    def make(lengths: Sequence[int], seed: int = 0, **fields: Any) -> Any:
        rng = torch.Generator().manual_seed(seed)
        rows, width, prompt = len(lengths), max(lengths) + 3, 3
        positions = torch.arange(width).expand(rows, width)
        ends = prompt + torch.tensor(lengths).unsqueeze(1)
        mask = (positions >= prompt) & (positions < ends)
        tokens = torch.randint(1024, (rows, width + 1), generator=rng)
        logps = [-8 + 0.1 * torch.randn(rows, width, generator=rng) for _ in range(2)]
        values = {name: torch.randn(rows, generator=rng) for name in ("verifier", "anchor")}
        defaults = {"old_logps": logps[0], "ref_logps": logps[1], "advantages": values}
        return TokenBatch(tokens, mask, **{**defaults, **fields})

    return make


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Files of shipped prompts with the oracle's answers; `good` and `poor` have two a prompt.

    `pairs` has an answer of each kind a prompt.
    """
    from uniapl_cli.files import write_rows
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.oracle import demonstrations

    folder = tmp_path_factory.mktemp("data")
    rows = [json.loads(line) for line in Path(resolve("tiny:train")).read_text().splitlines()]
    few = rows[:32]
    rows_by_name = {
        "many": demonstrations(rows[:256], 1),
        "others": demonstrations(rows[256:320], 1),
        "few": demonstrations(few, 1),
        "eight": demonstrations(rows[:8], 1),
        "good": [*demonstrations(few, 1), *demonstrations(few, 2)],
        "poor": [*demonstrations(few, 3, ignore=0.9), *demonstrations(few, 4, ignore=0.9)],
    }
    sides = zip(rows_by_name["good"][:32], rows_by_name["poor"][:32], strict=True)
    rows_by_name["pairs"] = [
        {**good, "chosen": good["response"], "rejected": poor["response"]} for good, poor in sides
    ]
    for name, part in rows_by_name.items():
        write_rows(folder / f"{name}.jsonl", part)
    return {name: folder / f"{name}.jsonl" for name in rows_by_name}


@pytest.fixture
def tiny_config(tiny_data: Mapping[str, Path], tmp_path: Path) -> Callable[..., Any]:
    """tiny_config(method, name, *overrides): the config of a short run into tmp_path/name."""
    from uniapl_cli import load_config
    from uniapl_cli.config.methods import METHODS

    def make(method: str, name: str, *overrides: str) -> Any:
        common = [*SHORT, f"run.dir={tmp_path / name}"]
        if method == "polar":
            files = f"[{tiny_data['good']},{tiny_data['poor']}]"
            common += ["polar.init=tiny:base", "sources.comparisons.pairs_per_step=4"]
            common += [f"polar.trajectories={files}", f"polar.heldout={files}"]
            method, file = str(METHODS / "polar.yaml"), EXPERIMENTS / "recipe" / "polar.yaml"
        else:
            own, data = EXPERIMENTS / f"{method}.yaml", tiny_data["few"]
            file = own if own.exists() else EXPERIMENTS / "world.yaml"
            common += [f"data.demonstrations={data}", f"data.prompts={data}", FRACTION]
            common += [f"data.preferences={tiny_data['pairs']}"]
        return load_config(file, [*common, *overrides], method)

    return make


@pytest.fixture
def train_tiny(tiny_config: Callable[..., Any]) -> Callable[..., Path]:
    """train_tiny(method, name, *overrides): train it and return the run's folder."""
    from uniapl_cli.commands.pretrain_polar import pretrain_polar
    from uniapl_cli.commands.train import train

    def run(method: str, name: str, *overrides: str) -> Path:
        config = tiny_config(method, name, *overrides)
        (pretrain_polar if method == "polar" else train)(config)
        return Path(config.run.dir)

    return run


@pytest.fixture(scope="session")
def weights() -> Callable[[Path], bytes]:
    """weights(run's folder): the bytes of the final model."""
    return lambda folder: (folder / "final" / "model.safetensors").read_bytes()


@pytest.fixture(scope="session")
def logged() -> Callable[[Path], list[dict[str, Any]]]:
    """logged(run's folder): the lines of metrics.jsonl, without how long things took."""

    def read(folder: Path) -> list[dict[str, Any]]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        rows = map(json.loads, lines)
        took = ("seconds/", "tokens_per_second", "memory_gib")
        return [{k: v for k, v in row.items() if not k.startswith(took)} for row in rows]

    return read
