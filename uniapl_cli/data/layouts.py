"""One function a data set: a row of its file -> an Example."""

from __future__ import annotations

from collections.abc import Callable

from uniapl_cli.data import columns
from uniapl_cli.files import Row
from uniapl_cli.registry import Registry
from uniapl_cli.types import Example

Layout = Callable[[Row, columns.Build], Example]

# traits: columns, the sets of columns by any of which a row is known to be of the layout.
layouts: Registry[Layout] = Registry("layout")


@layouts.register("ifeval", columns=[{"instruction_id_list", "kwargs"}, {"prompt"}])
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
