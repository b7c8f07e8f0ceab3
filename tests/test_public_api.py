"""What the top of the package offers: every name is there, typed, and imported when asked for."""

import ast
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import uniapl_cli

TREE = ast.parse(Path(uniapl_cli.__file__).read_text("utf-8"))


@pytest.mark.parametrize("name", uniapl_cli._PUBLIC)
def test_each_name_can_be_imported(name):
    assert callable(getattr(uniapl_cli, name))
    assert name in dir(uniapl_cli)


def test_type_checkers_see_the_same_names():
    """Those that the block `if TYPE_CHECKING` imports as themselves, or assigns."""
    (block,) = [node for node in TREE.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {
        alias.name: f"{node.module}:{alias.name}"
        for node in imports
        for alias in node.names
        if alias.asname == alias.name
    }
    modules = {alias.name: node.module for node in imports for alias in node.names}
    for node in block.body:
        if isinstance(node, ast.Assign):
            registry = ast.unparse(node.value).partition(".")[0]
            seen[ast.unparse(node.targets[0])] = f"{modules[registry]}:{registry}.register"
    assert seen == {name: f"uniapl_cli.{where}" for name, where in uniapl_cli._PUBLIC.items()}
    assert resources.files("uniapl_cli").joinpath("py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        uniapl_cli.trian  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, uniapl_cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"torch", "transformers", "pydantic", "yaml", "omegaconf", "typer"})


def test_a_program_trains_without_the_command_line(tmp_path, tiny_data):
    overrides = [
        f"data.demonstrations={tiny_data['eight']}",
        f"run.dir={tmp_path}/run",
        "training.steps=1",
        "sources.demonstrations.rows_per_step=2",
    ]
    config = uniapl_cli.load_config("tiny:sft", overrides, method="sft")
    assert uniapl_cli.train(config)["last"]["step"] == 1
    with pytest.raises(uniapl_cli.ConfigError) as caught:
        uniapl_cli.load_config("tiny:sft", ["optm.lr=1"], "sft")
    assert caught.value.suggestion == "optim.lr"
