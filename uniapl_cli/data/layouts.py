"""One function a data set: a row of its file -> an Example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from uniapl_cli.data import columns
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, read_rows
from uniapl_cli.registry import Registry
from uniapl_cli.types import Constraint, Example

Layout = Callable[[Row, Callable[..., tuple[Constraint, ...]]], Example]
layouts: Registry[Layout] = Registry("layout")


@layouts.register("ifeval")
def ifeval(row: Row, build: columns.Build) -> Example:
    """Read google/IFEval's layout, which argilla/ifeval-like-data and this project's files share.

    `prompt` (or `messages`), `instruction_id_list` and `kwargs` side by side, and optionally `key`
    (or `id`), `response`, `reference`. `kwargs` may be JSON text; what is null in it is not given.
    """
    return Example(
        id=columns.identity(row),
        prompt=columns.prompt(row),
        constraints=columns.instructions(row, build),
        response=columns.text(row, "response"),
        reference=columns.text(row, "reference"),
        row=row.values,
        origin=row.origin,
    )


def read_examples(
    path: Path, layout: str, build: Callable[..., tuple[Constraint, ...]]
) -> Iterator[Example]:
    """Yield a file's examples, lazily. Raises DataError with file and line; an empty file is one.

    `build` turns instruction ids and kwargs into checked constraints (verifiers.constraints).
    """
    read = layouts[layout].make
    found = False
    for row in read_rows(path):
        found = True
        yield read(row, build)
    if not found:
        raise DataError(f"'{path}' has no rows")
