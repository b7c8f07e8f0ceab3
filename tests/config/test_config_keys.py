"""The listing of keys follows the schema."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from experiment import Config

from uniapl_cli.config import reference
from uniapl_cli.config.keys import SECTION, Key, describe
from uniapl_cli.errors import UniAPLError


def test_describe_lists_every_key_of_every_kind_in_order() -> None:
    listed = list(describe(Config))
    keys = {(key.name, key.kind): key for key in listed}
    assert [key.name for key in listed][:6] == [
        "seed", "method", "run", "run.dir", "run.steps", "run.fast",
    ]  # fmt: skip
    assert keys["run", ""] == Key("run", "", SECTION, None, "where")
    assert keys["run.dir", ""] == Key(
        "run.dir", "", "str", "???", "folder of the run", may_change=True
    )
    assert keys["optim.name", ""].type == "'adamw' or 'muon' or 'on'"
    assert keys["optim.lr", ""].default == 1e-3
    assert keys["optim.lr.peak", "cosine"].default == "???"
    assert keys["method", ""].type == "str or null"
    assert keys["extra", ""].default is None
    cache = Key("judge.cache_mb", "polar", "int", 256, "memory", may_change=True)
    assert keys["judge.cache_mb", "polar"] == cache
    assert keys["judge.scale", "embedding"].default == 4.0
    assert ("judge.scale", "polar") not in keys
    assert keys["judge.path", "polar"].help == keys["judge.path", "embedding"].help
    assert keys["terms.<name>.objective.reward", "surrogate"].default == "???"
    assert keys["rewards.<name>.functions.<name>.weight", "length"].help == "its share"
    assert keys["scale", ""].type == "float or str"


def test_kinds_that_declare_a_key_alike_share_a_row() -> None:
    (path,) = [key for key in reference.below(Config, "judge") if key.name == "judge.path"]
    assert path.kind == "embedding, polar"
    with pytest.raises(UniAPLError) as caught:
        reference.below(Config, "optm")
    assert caught.value.suggestion == "optim"


def test_the_reference_documentation_is_fresh() -> None:
    from uniapl_cli.config.schema import Config as Experiment

    written = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference.markdown(Experiment), "make style rewrites it"


def test_importing_the_loader_is_light() -> None:
    modules = "uniapl_cli.config.load, uniapl_cli.config.render, uniapl_cli.config.keys"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
