"""Runs a verb: loads plug-ins, prints results, turns a user's mistakes into one line."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from uniapl_cli.errors import UniAPLError
from uniapl_cli.outputs import FULL
from uniapl_cli.reasons import is_refusal

if TYPE_CHECKING:
    from uniapl_cli.ranks import Ranks


@contextmanager
def session(
    debug: bool, plugins: Sequence[Path] | None = None, *, several: bool = False
) -> Iterator[Ranks]:
    """Exit with 2 and one line on a user's mistake, 128 + N on signal N; bugs keep a traceback.

    Plug-ins, the installed ones and the files named, are loaded before the schema is made of what
    is registered. several: whether the verb may be run by several processes, as torchrun starts
    them; the block is given who they are. Of these only the first one talks.
    """
    # The model libraries are quieted here, before any of them is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Of a connection that breaks torch prints its own stack, on every rank.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from uniapl_cli.plugins import load_plugins
    from uniapl_cli.ranks.joining import joined, placed, report
    from uniapl_cli.runs.console import set_up_logging
    from uniapl_cli.runs.signals import stopping

    set_up_logging()
    try:
        with stopping(), joined(several, line_of) as ranks:
            load_plugins(plugins or ())
            yield ranks
    except KeyboardInterrupt as stop:
        notes = getattr(stop, "__notes__", ["repeat the command"])
        report(told := f"stopped; {'; '.join(notes)}")
        tell(told)
        number = signal.SIGINT if placed() else getattr(stop, "number", signal.SIGINT)
        raise _left(128 + number) from None
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed the pipe.
        sys.stdout = None
        raise _left(1) from None
    except Exception as error:
        known = line_of(error)
        report(known or f"{type(error).__name__}: {error}")
        if known is not None and not debug:
            tell(f"error: {known}")
            raise _left(2) from None
        if not placed():
            raise
        tell(traceback.format_exc().rstrip())
        raise _left(1) from None


def _left(code: int) -> typer.Exit:
    """Return what ends the program; of several processes, one that fails ends here and now.

    A thread may be waiting for another one, inside a library that aborts if it is torn down then.
    """
    from uniapl_cli.ranks.joining import placed

    if placed():
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    return typer.Exit(code)


def fill_standard_descriptors() -> None:
    """Put the null device where stdin, stdout or stderr is closed.

    Else the next file that is opened would get its number, and what is printed there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def tell(line: str) -> None:
    """Print a line on stderr, as messages are."""
    from uniapl_cli.runs.console import messages

    messages.print(line, soft_wrap=True)


def line_of(error: BaseException) -> str | None:
    """Return what is wrong with what the user gave, the disk or the memory; None for a bug."""
    if isinstance(error, UniAPLError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        room = ". Make room, and repeat the command" if error.errno in FULL else ""
        return f"'{error.filename or 'the output'}': {error.strerror.lower()}{room}"
    if isinstance(error, (OSError, RuntimeError, MemoryError)) and is_refusal(error):
        return (
            "the memory is full: lower training.micro_batch_tokens, generation.batch_tokens "
            "or discriminator.batch_tokens, and repeat the command; it goes on from its checkpoint"
        )
    return None


def print_result(
    result: Mapping[str, Any],
    as_json: bool,
    human: Callable[[Mapping[str, Any]], Any] | None = None,
) -> None:
    """Print a verb's result on stdout: as JSON, or as `human` (or plain lines) shows it."""
    if sys.stdout is None:  # the program was started without one
        return
    if as_json:
        typer.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    # A pipe has no width; a table cut to 80 columns would lose figures.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if human:
        seen = human(result)
        # Of a Text that is not to be wrapped, print() forgets it.
        console.print(seen, soft_wrap=bool(getattr(seen, "no_wrap", None)))
    else:
        # In a path, [a] is no mark-up tag and :b: no emoji.
        console.print(lines(result), soft_wrap=True, markup=False, emoji=False)


def lines(result: Mapping[str, Any], indent: str = "") -> str:
    """Return a result as `name: value` lines."""
    shown = []
    for name, value in result.items():
        if isinstance(value, Mapping):
            shown.append(f"{indent}{name}:")
            shown.append(lines(value, indent + "  "))
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            shown.append(f"{indent}{name}: {text}")
    return "\n".join(line for line in shown if line)
