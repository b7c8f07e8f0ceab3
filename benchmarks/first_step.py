"""What `uniapl train` runs before the first optimizer step: its code, its seconds, its JSON parses.

    python benchmarks/first_step.py unified --config experiments/tiny/unified.yaml
    python benchmarks/first_step.py --time unified --config FILE data.prompts=rows.jsonl
    python benchmarks/first_step.py --parses --rows 60000 unified --config FILE data.prompts=...

What is not an option of this script goes to `uniapl train`, which runs in this process, in a new
run.dir, and is stopped as it is about to make the first step; PYTHONPATH=CHECKOUT measures another
checkout. The data that the config names must be there: `make demo` makes the embedded world's.

- By itself it counts files and functions of the package that ran, in all threads, imports of the
  package included. A function is a `def`: a method, special ones too, or a nested one, each counted
  once however often it ran. Bodies of modules and classes, lambdas, comprehensions, generator
  expressions and what dataclasses generate are none, so a file that is only imported does not
  count. `named` counts qualified names and has lambdas, comprehensions and generator expressions
  in it, those of one kind in one function together; how many those are depends on the Python.
- `--time`: seconds from the start of the process, imports included; nothing is traced.
- `--parses`: JSON texts of data rows (objects with a "prompt" or "messages") that this process
  parsed, through the json module; divided by `--rows`, or else by how many of them differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from torch.optim.optimizer import register_optimizer_step_pre_hook

PACKAGE = "uniapl_cli"
ROW_KEYS = ('"prompt"', '"messages"')


class Reached(BaseException):
    """The first optimizer step is due; no `except Exception` is to catch it."""


def package_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit(f"{PACKAGE} is not installed")
    return Path(spec.origin).parent


def run_to_first_step(arguments: list[str], at_step: Callable[[], None]) -> None:
    """Run `uniapl train`, call `at_step` before the first step of any optimizer, and stop there."""

    def stop(*_: Any) -> None:
        at_step()
        raise Reached

    handle = register_optimizer_step_pre_hook(stop)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        if not any(argument.startswith("run.dir=") for argument in arguments):
            arguments = [*arguments, f"run.dir={folder}/run"]
        try:
            from uniapl_cli.cli.app import app

            code = app(args=["train", *arguments], prog_name="uniapl", standalone_mode=False)
        except Reached:
            return
        finally:
            handle.remove()
    sys.exit(f"the command ended ({code}) before an optimizer step")


class Tracer:
    """The code of a folder's files that was called."""

    def __init__(self, folder: Path) -> None:
        self.prefix = f"{folder}{os.sep}"
        self.seen: dict[tuple[str, int, str], CodeType] = {}

    def start(self) -> None:
        threading.setprofile(self)
        sys.setprofile(self)

    def stop(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self.prefix):
            # Code objects of two files may be equal, so they are told apart by where they are.
            self.seen[code.co_filename, code.co_firstlineno, code.co_qualname] = code

    def counts(self) -> dict[str, Any]:
        """Count in all and by top-level folder; a file counts where a `def` of it ran."""
        ran = [code for code in self.seen.values() if code.co_flags & inspect.CO_OPTIMIZED]
        defined = [code for code in ran if not code.co_name.startswith("<")]
        folders = sorted({self.folder(code) for code in defined})
        parts = {
            folder: count([code for code in defined if self.folder(code) == folder])
            for folder in folders
        }
        named = len({(code.co_filename, code.co_qualname) for code in ran})
        of = len(list(Path(self.prefix).rglob("*.py")))
        return {**count(defined), "named": named, "files there are": of, "folders": parts}

    def folder(self, code: CodeType) -> str:
        parts = Path(code.co_filename).relative_to(self.prefix).parts
        return parts[0] if len(parts) > 1 else "."


def count(codes: list[CodeType]) -> dict[str, int]:
    return {"files": len({code.co_filename for code in codes}), "functions": len(codes)}


def trace(arguments: list[str]) -> dict[str, Any]:
    tracer = Tracer(package_folder())
    tracer.start()
    try:
        run_to_first_step(arguments, tracer.stop)
    finally:
        tracer.stop()
    return tracer.counts()


def measure_time(arguments: list[str]) -> dict[str, Any]:
    seconds: list[float] = []
    run_to_first_step(arguments, lambda: seconds.append(since_start()))
    return {"seconds": round(seconds[0], 2)}


def since_start() -> float:
    """Return the seconds since this process started, to a hundredth; Linux only."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def count_parses(arguments: list[str], rows: int | None) -> dict[str, Any]:
    parsed: list[int] = []
    # json.loads, json.load and every decoder of one's own go through this.
    plain = json.JSONDecoder.raw_decode

    def counting(self: json.JSONDecoder, s: str, idx: int = 0) -> tuple[Any, int]:
        if s.startswith("{", idx) and any(key in s for key in ROW_KEYS):
            parsed.append(hash(s))
        return plain(self, s, idx)

    json.JSONDecoder.raw_decode = counting  # type: ignore[method-assign]
    try:
        run_to_first_step(arguments, lambda: None)
    finally:
        json.JSONDecoder.raw_decode = plain  # type: ignore[method-assign]
    differ = len(set(parsed))
    figures = {"parses": len(parsed), "rows parsed": differ, "rows": rows or differ}
    return {**figures, "parses a row": round(len(parsed) / max(rows or differ, 1), 3)}


def show(found: dict[str, Any]) -> None:
    for name, value in found.items():
        if name == "folders":
            for folder, part in value.items():
                print(f"  {folder:16}{part['files']:4} files {part['functions']:5} functions")
        else:
            print(f"{name}: {value}")


def main() -> None:
    about, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about,
        epilog=more,
        usage="%(prog)s [--json] [--time | --parses [--rows N]] METHOD --config FILE [OVERRIDE...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--time", action="store_true", help="measure seconds, untraced")
    modes.add_argument("--parses", action="store_true", help="count parses of data rows")
    parser.add_argument("--rows", type=int, help="the rows that the data have")
    options, arguments = parser.parse_known_args()
    found: dict[str, Any] = {"package": str(package_folder())}
    if options.time:
        found |= measure_time(arguments)
    elif options.parses:
        found |= count_parses(arguments, options.rows)
    else:
        found |= trace(arguments)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
