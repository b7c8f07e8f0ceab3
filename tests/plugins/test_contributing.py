"""What CONTRIBUTING shows works as it stands: as files for --plugin, and as a package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# A module's docstring begins with its name.
MODULES = {
    code.split(":", 1)[0].removeprefix('"""'): code for kind, code in BLOCKS if kind == "python"
}
(METHOD,) = [text for kind, text in BLOCKS if kind == "yaml"]
ADDED = {"rewards": "question", "objectives": "cautious", "sources": "recital"}
SMALL = (
    "model.path=tiny:base", "training.steps=2", "sampling.max_new_tokens=8", "run.dir=run",
    "sources.rollouts.prompts_per_step=2", "sources.rollouts.num_generations=2",
    "sources.demonstrations.rows_per_step=2", "run.device=cpu", "run.threads=1",
)  # fmt: skip

Run = Callable[..., Any]
pytestmark = pytest.mark.slow


@pytest.fixture
def uniapl(tmp_path: Path) -> Run:
    """uniapl(words, **environment): its result, from a process of its own in an empty folder."""

    def run(words: list[str], **environment: str) -> Any:
        command = [sys.executable, "-m", "uniapl_cli", *words, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | environment
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def write(folder: Path) -> list[Path]:
    """The modules in a folder; their paths."""
    folder.mkdir(exist_ok=True)
    for name, code in MODULES.items():
        (folder / name).write_text(code)
    return [folder / name for name in MODULES]


def install(folder: Path) -> None:
    """A package as pip would leave it, of the modules and the entry points that name them."""
    write(folder)
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    modules = [name.removesuffix(".py") for name in MODULES]
    points = "".join(f"{module} = {module}\n" for module in modules)
    (info / "entry_points.txt").write_text(f"[uniapl]\n{points}")


def test_they_train_as_files(uniapl: Run, tmp_path: Path, tiny_data: Any) -> None:
    plugins = [word for path in write(tmp_path / "mine") for word in ("--plugin", str(path))]
    (tmp_path / "mine.yaml").write_text(METHOD)
    data = [f"data.{name}={tiny_data['eight']}" for name in ("demonstrations", "prompts")]
    last = uniapl(["train", "mine.yaml", *SMALL, *data, *plugins])["last"]
    assert last["step"] == 2 and last["grad_norm"] > 0 and last["recital"] > 0
    assert 0 < last["imitation/factor"] < 1
    assert "rollouts/question/question" in last


def test_they_are_there_once_installed(uniapl: Run, tmp_path: Path) -> None:
    install(tmp_path / "site")
    listed = uniapl(["list"], PYTHONPATH=str(tmp_path / "site"))
    for kind, name in ADDED.items():
        assert name in [entry["name"] for entry in listed[kind]]
