"""Run a verb: load its config, print its result, turn a user's mistake into one line."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from uniapl_cli.errors import UniAPLError, unknown

if TYPE_CHECKING:
    from uniapl_cli.config.schema import Config

METHODS = Path(__file__).parent.parent / "methods"
DEFAULTS = Path(__file__).parent.parent / "config" / "defaults.yaml"


@contextmanager
def session(debug: bool, plugins: Sequence[Path] | None = None) -> Iterator[None]:
    """Exit 2 with one line on a user's mistake, 130 on Ctrl-C; a bug keeps its traceback.

    Plug-ins, the installed ones and the files named, are loaded before the schema is made of what
    is registered.
    """
    # The model libraries are quieted here, before any of them is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from uniapl_cli.plugins import load_plugins
    from uniapl_cli.runs.console import set_up_logging

    set_up_logging()
    try:
        load_plugins(plugins or ())
        yield
    except UniAPLError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has left; there is nobody to tell.
        sys.stdout = None
        raise typer.Exit(1) from None
    except (OSError, RuntimeError) as error:
        advice = _advice(error)
        if debug or advice is None:
            raise
        typer.echo(f"error: {advice}", err=True)
        raise typer.Exit(1) from None


def _advice(error: Exception) -> str | None:
    """Return a line for what the machine, not the program, is at fault for; None for a bug."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return f"{error.strerror} ({error.filename or 'while writing'}); free room and repeat"
    # torch's class, told by its name: importing torch to compare would cost every verb a second.
    if type(error).__name__ == "OutOfMemoryError":
        return (
            "the GPU's memory is full: lower training.micro_batch_size, generation.batch_tokens "
            "or discriminator.batch_tokens, and repeat the command; it goes on from its checkpoint"
        )
    return None


def read_config(
    file: Path | None, overrides: Sequence[str] | None, method: str | None = None
) -> Config:
    """Load and check the merged config: defaults < method < includes < file < overrides."""
    from uniapl_cli.config.consistency import check
    from uniapl_cli.config.load import load
    from uniapl_cli.config.schema import Config

    overrides = overrides or ()
    own = amended_method(file, overrides) if method is None else method_file(method)
    layers = [DEFAULTS] if own is None else [DEFAULTS, own]
    fixed = {} if method is None or own is None else {"method": own.stem}
    try:
        config = load(file, overrides, schema=Config, layers=layers, fixed=fixed)
        check(config, own, packaged())
    except UniAPLError as error:
        if own is None and str(error.key).startswith("terms."):
            advice = f"{error.advice.rstrip('.')}. " if error.advice else ""
            error.advice = f"{advice}If it amends a packaged method, name that: method=NAME"
        raise
    return config


def amended_method(file: Path | None, overrides: Sequence[str]) -> Path | None:
    """Return the packaged method that an experiment names itself, for verbs that take none."""
    from uniapl_cli.config.include import read
    from uniapl_cli.config.override import parse

    documents = [*read([file] if file else []), *map(parse, overrides)]
    pairs = [pair for document in documents for pair in document.root.value]
    names = [str(node.value) for key, node in pairs if key.value == "method"]
    return packaged().get(names[-1]) if names else None


def method_file(method: str) -> Path:
    """Return the YAML of a packaged method, or of the user's own. Raises UniAPLError."""
    if method.endswith((".yaml", ".yml")):
        return Path(method)
    known = packaged()
    if method not in known:
        error: UniAPLError = unknown("method", method, known)
        error.advice += ", or the path of a method's YAML file"
        raise error
    return known[method]


def packaged() -> dict[str, Path]:
    """Return the methods that `uniapl train` knows by name, and their files."""
    files = sorted(METHODS.glob("*.yaml"))
    return {path.stem: path for path in files if path.stem != "polar"}


def print_result(
    result: Mapping[str, Any],
    as_json: bool,
    human: Callable[[Mapping[str, Any]], Any] | None = None,
) -> None:
    """Print a verb's result on stdout: as JSON, or as `human` (or plain lines) shows it."""
    if as_json:
        typer.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    # A pipe has no width; a table cut to 80 columns would lose figures.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if human:
        console.print(human(result))
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
