"""What a mistake is: how it is provoked, and what the error about it must carry."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.method import check_method
from uniapl_cli.tiny.assets import resolve

FILE = "exp.yaml"
KEYED = ("where", "key")
PLACED = ("where", "file", "line")


@dataclass(frozen=True)
class Mistake:
    """A way to go wrong. `provoke` raises a UniAPLError, or returns what is said.

    `fields` are those that the error has, whatever else it has.
    """

    provoke: Callable[[], str | None]
    fields: tuple[str, ...] = ()


def of_file(text: str, *fields: str, method: str | None = "sft") -> Mistake:
    """A config's text."""

    def provoke() -> None:
        Path(FILE).write_text(text, encoding="utf-8")
        check(Path(FILE), [], method)

    return Mistake(provoke, fields)


def of_override(line: str, *fields: str) -> Mistake:
    """A method and overrides, as a command line has them."""
    method, *overrides = shlex.split(line)
    return Mistake(lambda: check(None, overrides, method), fields)


def check(file: Path | None, overrides: Sequence[str], method: str | None) -> None:
    """Do what `uniapl config check` does."""
    config = load_config(file, overrides, method)
    if config.terms or method is not None:
        check_method(config)


def of_command(line: str, *fields: str, rows: Sequence[Any] | None = None) -> Mistake:
    """A command line, without `uniapl`, beside a file of four good rows, or of `rows`.

    A command line that goes well before may be put in front of it, with a semicolon.
    """

    def provoke() -> None:
        good = Path(resolve("tiny:heldout")).read_text(encoding="utf-8").splitlines()[:4]
        write(Path("demo.jsonl"), good if rows is None else rows)
        *before, last = line.split("; ")
        for command in before:
            result = CliRunner().invoke(app, shlex.split(command))
            assert result.exit_code == 0, f"{command}: {result.output} {result.exception!r}"
        result = CliRunner().invoke(app, [*shlex.split(last), "--debug"])
        assert result.exception is not None, f"{last}: {result.output}"
        raise result.exception

    return Mistake(provoke, fields)


def write(path: Path, rows: Sequence[Any]) -> None:
    """Write rows, a line each; texts are lines as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@contextmanager
def heard() -> Iterator[list[str]]:
    """What the program says meanwhile, as on stderr."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger("uniapl")
    handlers, level = logger.handlers[:], logger.level
    logger.handlers[:] = [Ear()]
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def logged(act: Callable[[], object]) -> Mistake:
    """Something that goes on, with a word about it."""

    def provoke() -> str:
        with heard() as lines:
            act()
        return "\n".join(lines)

    return Mistake(provoke)
