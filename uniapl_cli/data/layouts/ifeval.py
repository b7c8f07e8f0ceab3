"""IFEval: prompts with the ids and kwargs of instructions that verifiers check."""

from __future__ import annotations

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.files import Row
from uniapl_cli.types import Example


@layouts.register("ifeval", columns=[{"instruction_id_list", "kwargs"}, {"prompt"}])
def ifeval(row: Row, build: columns.Build) -> Example:
    """Read google/IFEval's layout, which argilla/ifeval-like-data and this project's files share.

    `prompt` (or `messages`), `instruction_id_list` and `kwargs` side by side, and optionally `key`
    (or `id`), `response`, `reference`. `kwargs` may be JSON text; a null in it counts as missing.
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
