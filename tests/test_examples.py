"""The plug-in in examples/plugins works as a single file and as an installed package."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from command_lines import ROOT

PLUGIN = ROOT / "examples" / "plugins"
METHOD = PLUGIN / "recital.yaml"
SMALL = (
    "training.steps=2",
    "sampling.max_new_tokens=8",
    "sources.rollouts.prompts_per_step=2",
    "sources.rollouts.num_generations=2",
    "sources.demonstrations.rows_per_step=2",
    "run.log_every=1",
)


@pytest.fixture
def train(tmp_path, tiny_data):
    """train(*options, **environment): the last step's metrics of two steps of the method."""
    data = [f"data.{name}={tiny_data['eight']}" for name in ("demonstrations", "prompts")]
    words = ["train", str(METHOD), "--config", "tiny:world", *data, *SMALL, "--json"]

    def run(*options, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "uniapl_cli", *words, f"run.dir={tmp_path / 'run'}", *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | environment,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["last"]

    return run


def check(last):
    assert last["step"] == 2
    assert last["imitation"] > 0 and last["recital"] > 0 and last["grad_norm"] > 0
    assert 0 < last["imitation/factor"] < 1
    assert last["recital/mean_length"] > 1
    assert "rollouts/question/mean" in last


@pytest.mark.slow
def test_it_trains_as_a_single_file(train):
    check(train("--plugin", str(PLUGIN / "recital.py")))


@pytest.mark.slow
def test_it_trains_as_an_installed_package(train, tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(PLUGIN, source)  # pip builds inside it
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True)
    check(train(PYTHONPATH=str(site)))
