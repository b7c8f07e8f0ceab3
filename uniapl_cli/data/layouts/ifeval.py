"""IFEval: prompts with the ids and kwargs of instructions that verifiers check."""

from __future__ import annotations

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.files import Row
from uniapl_cli.types import Example


@layouts.register(
    "ifeval",
    columns=[{"instruction_id_list", "kwargs"}, {"prompt"}],
    over=("alpaca", "question_answer"),
)
def ifeval(row: Row, build: columns.Build) -> Example:
    """Read google/IFEval's layout, which argilla/ifeval-like-data and this project's files share.

    `prompt`, text or turns (or `messages`), `instruction_id_list` and `kwargs` side by side, and
    optionally `system`, `tools`, `key` (or `id`), `response`, `reference`. `kwargs` may be JSON
    text; a null in it counts as missing.
    """
    prompt, answer = columns.conversation(row)
    prompt = columns.with_system(row, prompt)
    return columns.answered(row, prompt, answer, columns.instructions(row, build))
