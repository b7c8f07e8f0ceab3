"""`uniapl demo` runs from a wheel, without a checkout, and goes on where it stopped."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from command_lines import ROOT
from typer.testing import CliRunner

from uniapl_cli.cli.app import app

SHORT = [
    "training.steps=2",
    "run.log_every=1",
    "sources.demonstrations.rows_per_step=4",
    "eval.limit=4",
    "eval.draws.sampled.samples=1",
    "sampling.max_new_tokens=8",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder with the package as its wheel installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "work", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, folder / "source", ignore=ignored)
    pip = [sys.executable, "-m", "pip"]
    plain = ["--quiet", "--no-deps", "--no-build-isolation"]
    wheel = [*pip, "wheel", *plain, "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(wheel, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    target = folder / "site"
    install = [*pip, "install", *plain, "--target", str(target), str(built)]
    subprocess.run(install, check=True, capture_output=True)
    return target


@pytest.mark.slow
def test_it_runs_from_a_wheel_in_an_empty_folder(site, tmp_path):
    def demo(*options):
        done = subprocess.run(
            [sys.executable, "-m", "uniapl_cli", "demo", "sft", *SHORT, *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(site)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    result = json.loads(demo("--json"))
    names = [evaluation["name"] for evaluation in result["evaluations"]]
    assert names == ["base", "sft", "teacher"]
    assert all((tmp_path / path).exists() for path in result["written"])
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]
    final = tmp_path / "work" / "tiny" / "sft" / "final" / "model.safetensors"
    finished = final.stat().st_mtime_ns
    table = demo()
    assert all(name in table for name in names)
    assert final.stat().st_mtime_ns == finished, "what is trained is not trained again"


@pytest.mark.slow
def test_the_wheel_is_typed_and_complete(site):
    """All files of the package are in it."""
    package = site / "uniapl_cli"
    files = {
        path.relative_to(ROOT / "uniapl_cli")
        for path in (ROOT / "uniapl_cli").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in files if not (package / path).is_file()} == set()


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [(["sfft"], "sft"), (["sft", "optm.lr=1"], "optim.lr"), (["sft", "polar"], None)],
)
def test_a_mistake_is_found_before_anything_runs(tmp_path, monkeypatch, words, suggestion):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["demo", *words])
    assert result.exit_code == 2
    assert suggestion is None or f"'{suggestion}'" in result.stderr
    assert list(tmp_path.iterdir()) == []
