"""A layout of rows."""

from uniapl_cli.data import columns
from uniapl_cli.data.layouts import layouts
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message


@layouts.register("quiz", columns=[{"quiz", "solution"}])
def quiz(row: Row, build: columns.Build) -> Example:
    """Read rows of a question and its solution."""
    asked, solved = columns.text(row, "quiz"), columns.text(row, "solution")
    return Example(
        id=row.origin,
        prompt=(Message("user", str(asked)),),
        response=solved,
        row=row.values,
        origin=row.origin,
    )
