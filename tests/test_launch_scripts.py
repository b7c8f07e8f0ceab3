"""The scripts of experiments/launch: each starts processes that train what one process trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import ROOT
from launched import free_port
from safetensors.torch import load_file

LAUNCH = ROOT / "experiments" / "launch"
SCRIPTS = sorted(path for path in LAUNCH.iterdir() if path.suffix in (".sh", ".sbatch"))
SHORT = ["training.steps=2", "sources.demonstrations.rows_per_step=5", "optim.lr=0.003"]
SHORT += ["run.device=cpu", "training.micro_batch_tokens=100", "run.save_every=100"]
# What SLURM has beside: srun starts the processes of this machine, each with its number.
SRUN = """#!{python}
import os, subprocess, sys
words = sys.argv[1:]
count, each = 1, 1
while words[0].startswith("--"):
    name, _, value = words.pop(0).partition("=")
    count, each = (int(value), each) if name == "--ntasks" else (count, each)
    each = int(value) if name == "--ntasks-per-node" else each
told = {{"SLURM_NTASKS": count, "SLURM_NTASKS_PER_NODE": each, "SLURM_NODEID": 0}}
running = [
    subprocess.Popen(words, env={{**os.environ, **{{n: str(v) for n, v in own.items()}}}})
    for number in range(count)
    for own in [told | {{"SLURM_PROCID": number, "SLURM_LOCALID": number}}]
]
sys.exit(max(one.wait() for one in running))
"""
SCONTROL = "#!/bin/sh\necho 127.0.0.1\n"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_one_that_bash_reads(path):
    text = path.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    assert os.access(path, os.X_OK) or path.suffix == ".sbatch"


def weights(run: Path):
    return load_file(run / "final" / "model.safetensors")


@pytest.fixture
def started(tiny_data, tmp_path):
    """started(script, name, **environment): the script, training into tmp_path/name."""

    def start(script, name, *overrides, **environment):
        given = {"METHOD": "sft", "CONFIG": str(ROOT / "experiments" / "tiny" / "sft.yaml")}
        given |= {"PROCESSES": "2", "OMP_NUM_THREADS": "1", **environment}
        words = [f"data.demonstrations={tiny_data['few']}", f"run.dir={tmp_path / name}", *SHORT]
        return subprocess.Popen(
            ["bash", str(LAUNCH / script), *words, *overrides],
            cwd=tmp_path,
            env={**os.environ, **given},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def slurm(tmp_path):
    """The environment of a job on one node."""
    for name, text in (("srun", SRUN.format(python=sys.executable)), ("scontrol", SCONTROL)):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "SLURM_JOB_NODELIST": "n1", "SLURM_NNODES": "1", "SLURM_JOB_ID": "7919"}


def ends(*running):
    for one in running:
        try:
            _, said = one.communicate(timeout=300)
        finally:
            one.kill()
        assert one.returncode == 0, said


@pytest.fixture
def alone(tiny_config, tmp_path):
    """The weights that one process trains."""
    from uniapl_cli.commands.train import train

    train(tiny_config("sft", "alone", *SHORT))
    return weights(tmp_path / "alone")


@pytest.mark.ranks
def test_each_trains_what_one_process_trains(started, slurm, alone, tmp_path):
    head = {"HEAD": "127.0.0.1", "PORT": str(free_port()), "PROCESSES": "1"}
    nodes = [{"NODE_RANK": str(number), **head} for number in range(2)]
    launches = {
        "one_node": ("one_node.sh", [{}]),
        "two_nodes": ("two_nodes.sh", nodes),
        "accelerate": ("accelerate.sh", [{}]),
        "srun": ("slurm.sbatch", [slurm | {"LAUNCHER": "srun"}]),
        "slurm": ("slurm.sbatch", [slurm | {"SLURM_JOB_ID": "7920"}]),
    }
    for name, (script, environments) in launches.items():
        ends(*[started(script, name, **environment) for environment in environments])
        assert (tmp_path / name / "logs" / "rank-1.log").is_file(), name
        for key, value in weights(tmp_path / name).items():
            assert (value - alone[key]).abs().max() < 1e-5, (name, key)
