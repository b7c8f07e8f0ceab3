"""A model of a run as a folder that other tools load, with its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.commands.card import model_card
from uniapl_cli.config.schema import Config
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training.policy import Trainable, save_folder
from uniapl_cli.training.state import State
from uniapl_cli.training.terms import Plan


def save_model(
    folder: Path,
    config: Config,
    method: Plan,
    run: RunDirectory,
    trained: Trainable,
    row: Mapping[str, Any] | None,
    texts: Mapping[str, str],
) -> None:
    """Write a model, atomically, with its card and further files. row: its validation, if any.

    Raises OutputError.
    """
    named, dtype = dict(texts), config.run.final_dtype
    if trained.ranks.first:  # the others only give their parts of the weights
        named = {"README.md": model_card(config, method, run, row), **named}
    save_folder(folder, trained.model, trained.tokenizer, dtype, named, ranks=trained.ranks)


def save_learners(run: RunDirectory, config: Config, state: State) -> None:
    """Write each further learner as a reward model's folder, `final-NAME`. Raises OutputError."""
    for name, one in state.learners.items():
        folder, own = run.path / f"final-{name}", one.trainable
        save_folder(folder, own.model, own.tokenizer, config.run.final_dtype, ranks=own.ranks)
