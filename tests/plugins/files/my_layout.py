"""A layout of rows."""

from uniapl_cli import Example, Message, Row, register_layout
from uniapl_cli.data import columns


@register_layout("quiz", columns=[{"quiz", "solution"}])
def quiz(row: Row, build: columns.Build) -> Example:
    """Read rows of a question and its solution."""
    question, solution = columns.text(row, "quiz"), columns.text(row, "solution")
    return Example(
        id=row.origin,
        prompt=(Message("user", str(question)),),
        response=solution,
        row=row.values,
        origin=row.origin,
    )
