"""What tests of whole runs share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def assembled(tiny_config: Callable[..., Any]) -> Callable[..., Any]:
    """assembled(method, *overrides): (config, chat, policy), as a training run loads them."""
    from uniapl_cli.commands import components

    def make(method: str, *overrides: str) -> Any:
        config = tiny_config(method, "run", *overrides)
        location = components.locate(config, "model.path", config.model.path)
        chat = components.policy_chat(config, location)
        return config, chat, components.trained_policy(config, location, chat, "cpu")

    return make


@pytest.fixture(scope="session")
def back_to_step_2() -> Callable[[Path], None]:
    """back_to_step_2(folder): as if a finished run had been killed after that checkpoint."""

    def change(folder: Path) -> None:
        shutil.rmtree(folder / "final")
        shutil.rmtree(folder / "checkpoints" / "step-00000004")

    return change
