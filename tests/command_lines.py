"""Command lines in documents and help texts, read as the program would read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from uniapl_cli.cli.app import app
from uniapl_cli.cli.session import METHODS, read_config

ROOT = Path(__file__).parent.parent
GROUP = typer.main.get_command(app)


def verbs(group: Any = GROUP, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """All commands by their full name: `train`, `config show`."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= verbs(command, (*above, name))
        else:
            found[" ".join((*above, name))] = command
    return found


def commands_in(text: str) -> Iterator[str]:
    """The `uniapl ...` lines of a text; a prompt or a comment's # before them is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.match(r"\s*(?:\$ |# *)?(uniapl(?: .*)?)$", line):
            yield found[1]


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
    name, given = read(command)
    if "overrides" not in given:
        return None
    file = given["config"] and folder / given["config"]
    if file is not None and not file.exists():
        assert not file.is_relative_to(ROOT / "experiments"), f"no such file: {command}"
        file = None
    method = str(METHODS / "polar.yaml") if name == "pretrain-polar" else given.get("method")
    if method is not None and method.endswith(".yaml") and not Path(method).exists():
        method = None  # a method of the reader's own
    return read_config(file, given["overrides"], method)
