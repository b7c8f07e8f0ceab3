"""Conversations: plain ones, pairs of a better and a worse answer, and answers with a label."""

from __future__ import annotations

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message


@layouts.register("messages", columns=[{"messages"}])
def messages(row: Row, build: columns.Build) -> Example:
    """Read plain chat: `messages`, whose last turn, if the assistant's, is the response.

    A `response` column, as teacher-gen writes it, replaces that response. `system`, if not blank,
    is the first turn. Optional columns: `key` (or `id`), `reference`, and ifeval's.
    """
    prompt, answer = columns.split_answer(columns.turns(row, "messages"))
    prompt = _with_system(row, prompt)
    return columns.answered(row, prompt, answer, columns.instructions(row, build))


@layouts.register(
    "preference",
    columns=[{"chosen", "rejected"}, {"chosen", "rejected", "instruction_id_list", "kwargs"}],
)
def preference(row: Row, build: columns.Build) -> Example:
    """Read pairs: `prompt`, `chosen`, `rejected`, each text or turns; `chosen` is the response.

    If `chosen` and `rejected` are whole conversations, they hold the prompt, and `prompt` is not
    needed. A `response` column, as teacher-gen writes it, replaces `chosen`.
    Optional columns: `key` (or `id`), `reference`, and ifeval's.
    """
    before, chosen = _answer(row, "chosen")
    other, rejected = _answer(row, "rejected")
    if before != other:
        problem = "'chosen' and 'rejected' answer different turns"
        raise DataError(problem, "All turns but the last must be equal", where=row.origin)
    prompt, constraints = _prompt(row, before), columns.instructions(row, build)
    return columns.answered(row, prompt, chosen, constraints, rejected=rejected)


@layouts.register(
    "labelled",
    columns=[{"completion", "label"}, {"completion", "label", "instruction_id_list", "kwargs"}],
)
def labelled(row: Row, build: columns.Build) -> Example:
    """Read TRL's rows for KTO: `prompt`, `completion`, each text or turns, and a boolean `label`.

    A completion labelled true is the response, one labelled false the rejected answer. A `response`
    column, as teacher-gen writes it, is the response in either case. Optional columns: `key` (or
    `id`), `reference`, and ifeval's.
    """
    before, answer = _answer(row, "completion")
    label = row.values.get("label")
    if not isinstance(label, bool):
        raise DataError(
            f"'label' must be true (a good completion) or false, got {label!r:.60}",
            where=row.origin,
            got=label,
        )
    good, bad = (answer, None) if label else (None, answer)
    prompt, constraints = _prompt(row, before), columns.instructions(row, build)
    return columns.answered(row, prompt, good, constraints, rejected=bad)


def _prompt(row: Row, before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the prompt: the turns before the answer, or else the row's own `prompt`."""
    if not before and isinstance(row.values.get("prompt"), list):
        before = columns.turns(row, "prompt")
    return _with_system(row, before or columns.prompt(row))


def _with_system(row: Row, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    system = columns.text(row, "system")
    if not system or not system.strip():
        return prompt
    turn = Message("system", system)
    if prompt and prompt[0].role == "system":
        if prompt[0] != turn:
            problem = "'system' differs from the system turn of the messages"
            raise DataError(problem, "Leave one of the two out", where=row.origin, got=system)
        return prompt
    return (turn, *prompt)


def _answer(row: Row, name: str) -> tuple[tuple[Message, ...], str]:
    """Return the turns before an answer that is text or turns, and its text."""
    if not isinstance(row.values.get(name), list):
        answer = columns.text(row, name)
        if answer is None:
            raise columns.missing(row, name)
        return (), answer
    before, last = columns.split_answer(columns.turns(row, name))
    if last is None:
        raise DataError(f"the last turn of '{name}' must be the assistant's", where=row.origin)
    if before and before[0].role == "assistant":
        problem = f"'{name}' begins with an answer: it must be one turn, or begin with the prompt"
        raise DataError(problem, where=row.origin)
    return before, last
