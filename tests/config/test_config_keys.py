"""The listing of keys follows the schema."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest
from experiment import Config

from uniapl_cli.config.keys import SECTION, Key, describe
from uniapl_cli.config.load import load


def test_describe_lists_every_key_in_order() -> None:
    keys = {key.name: key for key in describe(Config)}
    assert list(keys)[:6] == ["seed", "method", "run", "run.dir", "run.steps", "run.fast"]
    assert keys["run"] == Key("run", SECTION, None, "where")
    assert keys["run.dir"] == Key("run.dir", "str", "???", "folder of the run")
    assert keys["optim.lr"] == Key("optim.lr", "float", 1e-3, "learning rate")
    assert keys["optim.betas"] == Key("optim.betas", "list[float, float]", [0.9, 0.999], "")
    assert keys["optim.name"].type == "'adamw' or 'muon' or 'on'"
    assert keys["method"].type == "str or null"
    assert keys["extra"].default is None
    assert keys["extra.lr"].default == 1e-3
    assert keys["terms"].type == "dict[str, Term]"
    assert keys["terms.<name>.objective"] == Key("terms.<name>.objective", "str", "???", "")
    assert keys["schedules"].type == "dict[str, anything]"
    assert keys["scale"].type == "float or str"


@dataclass
class Wrong:
    numbers: dict[int, str]


def test_a_map_with_other_keys_is_a_mistake_of_the_schema() -> None:
    with pytest.raises(TypeError, match="keys of a map in a schema are str"):
        load(None, ["numbers.a=b"], schema=Wrong)


def test_importing_is_light() -> None:
    modules = "uniapl_cli.config.load, uniapl_cli.config.render, uniapl_cli.config.keys"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
