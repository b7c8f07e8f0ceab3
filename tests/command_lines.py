"""Command lines in documents and help texts, read as the program would read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.config.methods import METHODS
from uniapl_cli.tiny.assets import PREFIX

ROOT = Path(__file__).parent.parent
GROUP = typer.main.get_command(app)


def verbs(group: Any = GROUP, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """All commands by their full name: `train`, `config show`."""
    commands = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            commands |= verbs(command, (*above, name))
        else:
            commands[" ".join((*above, name))] = command
    return commands


def commands_in(text: str) -> Iterator[str]:
    """The `uniapl ...` lines of a text; a prompt or a comment's # before them is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.match(r"\s*(?:\$ |# *)?(uniapl(?: .*)?)$", line):
            yield match[1]


def read(command: str) -> tuple[str, dict[str, Any]]:
    """The verb of a command line and its parameters; an unknown verb or option raises."""
    words = shlex.split(command, comments=True)
    assert words.pop(0) == "uniapl"
    known = verbs()
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in known), None)
    assert name is not None, f"no such verb: {command}"
    arguments = words[len(name.split()) :]
    return name, known[name].make_context(name, arguments).params


def compose(command: str, folder: Path = ROOT) -> Any:
    """The config that a command line loads, its file searched in `folder`; None without one."""
    name, parameters = read(command)
    if "overrides" not in parameters:
        return None
    file = parameters["config"]
    if file is not None and not str(file).startswith(PREFIX):
        file = folder / file
        if not file.exists():
            assert not file.is_relative_to(ROOT / "experiments"), f"no such file: {command}"
            file = None
    method = str(METHODS / "polar.yaml") if name == "pretrain-polar" else parameters.get("method")
    if method is not None and method.endswith(".yaml") and not Path(method).exists():
        method = None  # a method of the reader's own
    return load_config(file, parameters["overrides"] or (), method)


def make_targets() -> set[str]:
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z][a-z0-9-]*):", text, re.MULTILINE))
