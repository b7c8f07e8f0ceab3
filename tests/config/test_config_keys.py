"""The listing of keys follows the schema."""

from __future__ import annotations

import subprocess
import sys

from experiment import Config

from uniapl_cli.config.keys import SECTION, Key, describe


def test_describe_lists_every_key_of_every_kind_in_order() -> None:
    listed = list(describe(Config))
    keys = {(key.name, key.kind): key for key in listed}
    assert [key.name for key in listed][:6] == [
        "seed", "method", "run", "run.dir", "run.steps", "run.fast",
    ]  # fmt: skip
    assert keys["run", ""] == Key("run", "", SECTION, None, "where")
    assert keys["run.dir", ""] == Key("run.dir", "", "str", "???", "folder of the run")
    assert keys["optim.name", ""].type == "'adamw' or 'muon' or 'on'"
    assert keys["optim.lr", ""].default == "constant"
    assert keys["optim.lr.peak", "cosine"].default == "???"
    assert keys["method", ""].type == "str or null"
    assert keys["extra", ""].default is None
    assert keys["judge.cache_mb", "polar"] == Key("judge.cache_mb", "polar", "int", 256, "memory")
    assert keys["judge.scale", "embedding"].default == 4.0
    assert ("judge.scale", "polar") not in keys
    assert keys["judge.path", "polar"].help == keys["judge.path", "embedding"].help
    assert keys["terms.<name>.objective.reward", "surrogate"].default == "???"
    assert keys["rewards.<name>.functions.<name>.weight", "length"].help == "its share"
    assert keys["scale", ""].type == "float or str"


def test_importing_the_loader_is_light() -> None:
    modules = "uniapl_cli.config.load, uniapl_cli.config.render, uniapl_cli.config.keys"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
