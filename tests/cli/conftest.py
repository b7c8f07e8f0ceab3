import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.tiny.assets import resolve

# What the verbs need to run on demo.jsonl in less than a second.
ENOUGH = {
    "train": "model.path=tiny:base data.demonstrations=demo.jsonl data.prompts=demo.jsonl "
    "training.steps=1 sources.demonstrations.rows_per_step=2 "
    "sources.rollouts.prompts_per_step=1 sources.rollouts.num_generations=2 "
    "sampling.max_new_tokens=4 run.dir=run run.device=cpu run.threads=1",
    "eval": "eval.model=tiny:base eval.data=demo.jsonl eval.out=ev run.device=cpu run.threads=1 "
    "eval.draws.greedy.sampling.max_new_tokens=4",
    "analyse": "analyse.models.base=tiny:base analyse.data=demo.jsonl analyse.out=an "
    "teacher.path=tiny:teacher discriminator.path=tiny:polar run.device=cpu run.threads=1 "
    "analyse.sampling.max_new_tokens=4",
    "teacher-gen": "teacher.path=tiny:teacher teach.prompts=demo.jsonl teach.out=out.jsonl "
    "teach.sampling.max_new_tokens=4 run.device=cpu run.threads=1",
    "filter-gt": "filter.responses=demo.jsonl filter.out=kept.jsonl",
    "data compose": "compose.out=o.jsonl compose.rows=4",
    "score": "discriminator.path=tiny:polar score.input=demo.jsonl score.reference=response "
    "score.output=response score.out=scored.jsonl run.device=cpu run.threads=1",
    "serve": "model.path=tiny:teacher run.device=cpu run.threads=1",
    "pretrain-polar": "polar.init=tiny:teacher polar.trajectories=[demo.jsonl,others.jsonl] "
    "polar.heldout=[demo.jsonl,others.jsonl] sources.comparisons.pairs_per_step=2 "
    "training.steps=1 run.dir=run run.device=cpu run.threads=1",
}


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Four shipped rows with the teacher's responses."""
    lines = Path(resolve("tiny:heldout")).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:4]]


@pytest.fixture
def folder(tmp_path, monkeypatch, rows) -> Path:
    """The present folder: empty but for demo.jsonl and others.jsonl."""
    monkeypatch.chdir(tmp_path)
    others = [{**row, "response": "No."} for row in rows]
    for name, part in (("demo", rows), ("others", others)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return tmp_path


@pytest.fixture
def enough() -> dict[str, list[str]]:
    """What each verb needs to run on demo.jsonl."""
    return {verb: given.split() for verb, given in ENOUGH.items()}


@pytest.fixture
def uniapl(folder):
    """uniapl("train sft seed=1"): run it in this process, with all that the verb needs."""

    def run(command: str, *, enough: bool = True):
        words = shlex.split(command)
        verb = next((v for v in (" ".join(words[:2]), words[0]) if v in ENOUGH), "")
        head = 2 if words[0] in ("train", "analyse") else len(verb.split())
        needed = ENOUGH.get(verb, "").split() if enough else []
        return CliRunner().invoke(app, [*words[:head], *needed, *words[head:]])

    return run


@pytest.fixture
def tree(folder):
    """tree(): every file below the present folder with its content, and every folder."""
    return lambda: {p: p.is_file() and p.read_bytes() for p in folder.rglob("*")}


@pytest.fixture(scope="session")
def program():
    """program(words, **options): the real program in a process of its own, and how it ended."""

    def run(words: list[str], **options):
        environment = {**os.environ, **options.pop("env", {})}
        command = [sys.executable, "-c", "from uniapl_cli.cli.app import main; main()", *words]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, **options
        )

    return run
