"""uniapl status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug, Plugins
from uniapl_cli.cli.session import print_result, session

if TYPE_CHECKING:
    from uniapl_cli.commands.status import Status

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories (run.dir).")]

# Of the newest line's metrics these are not shown: the time is said in words.
TIMES = ("step", "seconds/sources", "seconds/update")


def status(runs: Runs, json: AsJson = False, plugin: Plugins = None, debug: Debug = False) -> None:
    """Say how far runs are, from another terminal: steps, time left, figures, warnings.

    Example: uniapl status work/tiny/unified
    """
    with session(debug, plugin):
        from uniapl_cli.commands.status import status as of
        from uniapl_cli.runs.console import table

        found = [of(path) for path in runs]

        def human(_: Any) -> Any:
            """Show a run a row; of a single one its newest figures; then warnings."""
            from rich.console import Group
            from rich.text import Text

            columns = ["run", "method", "state", "step", "left", "s a step", "last line"]
            shown = [table("", columns, [_row(one) for one in found])]
            if len(found) == 1:
                shown += [_figures(*titled) for titled in _titled(found[0])]
            notes = [Text(f"{one.run}: {line}") for one in found for line in one.warnings]
            return Group(*shown, *notes, *(Text(_next(one)) for one in found if _next(one)))

        print_result({"runs": [one.plain() for one in found]}, json, human)


def _row(one: Status) -> list[str]:
    pace = "-" if one.seconds_a_step is None else f"{one.seconds_a_step:.3g}"
    return [
        one.run,
        one.method or "-",
        one.state,
        f"{one.step}/{one.steps}",
        _time(one.seconds_left),
        pace,
        "-" if one.quiet is None else f"{_time(one.quiet)} ago",
    ]


def _titled(one: Status) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the newest figures of a run: of a step, and of a validation if it has one."""
    yield f"step {one.step}", one.last
    if one.validation:
        best = one.best
        kept = "" if best is None else f"; best: {_figure(best['value'])} {best['metric']}"
        kept += "" if best is None else f", step {best['step']}"
        yield f"validation of step {one.validation['step']}{kept}", one.validation


def _figures(title: str, row: Mapping[str, Any]) -> Any:
    from uniapl_cli.runs.console import table

    rows = [[name, _figure(value)] for name, value in row.items() if name not in TIMES]
    return table(title, ["metric", "value"], rows)


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else str(timedelta(seconds=round(seconds)))


def _next(one: Status) -> str:
    """Return what happens when the command of a run that is not going on is repeated."""
    if one.state == "stopped":
        whence = f"from the checkpoint of step {one.checkpoint}" if one.checkpoint else "anew"
        return f"{one.run}: stopped; the same command goes on {whence}"
    if one.state == "damaged":
        return f"{one.run}: its final model is not whole; the same command makes it again"
    return ""
