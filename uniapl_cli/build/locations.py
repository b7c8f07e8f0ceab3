"""Where the models that a config names are."""

from __future__ import annotations

from pathlib import Path

from uniapl_cli.config import schema
from uniapl_cli.config.load import load
from uniapl_cli.errors import ModelError
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.tiny.assets import resolve


def model_location(name: str) -> str:
    """Return what to load a model from: a run's directory stands for the model it ended with.

    `tiny:NAME` is a shipped model; a folder of a model and a hub's name are returned as they are.
    Raises ModelError for a run that has not finished, and for a folder that is not there.
    """
    path = resolve(name)
    # A hub's name has one slash at most, so anything longer can only be a folder.
    if path.count("/") > 1 and not Path(path).exists():
        raise ModelError(
            f"there is no folder '{name}'; if a run is to make it, such as the stage before this "
            "one, train that first"
        )
    run = RunDirectory(Path(path))
    if not run.config.is_file() or (run.path / "config.json").exists():
        return path
    if not run.finished:
        raise ModelError(f"'{name}' is a run that has not finished; finish it: {_command(run)}")
    return str(run.final)


def _command(run: RunDirectory) -> str:
    method = load(run.config, schema=schema.Config).method
    verb = "pretrain-polar" if method == "polar" else f"train {method}"
    return f"uniapl {verb} --config {run.config}"
