"""Conversations: plain ones, a prompt with its completion, pairs of answers, labelled answers."""

from __future__ import annotations

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.data.turns import Answer, split_answer
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message


@layouts.register(
    "messages",
    columns=[{"messages"}],
    over=("ifeval", "alpaca", "question_answer"),
    turns="messages",
)
def messages(row: Row, build: columns.Build) -> Example:
    """Read plain chat: `messages`, whose last turn, if the assistant's, is the response.

    A `response` column, as teacher-gen writes it, replaces that response. `system`, if not blank,
    is the first turn. Optional columns: `tools`, `key` (or `id`), `reference`, and ifeval's.
    """
    prompt, answer = split_answer(row, columns.turns(row, "messages"))
    prompt = columns.with_system(row, prompt)
    return columns.answered(row, prompt, answer, columns.instructions(row, build))


@layouts.register(
    "prompt_completion", columns=[{"completion"}], over=("ifeval",), turns="completion"
)
def prompt_completion(row: Row, build: columns.Build) -> Example:
    """Read TRL's rows for SFT: `prompt` and `completion`, each text or turns.

    The completion's last turn is the response; its turns before that belong to the prompt. Optional
    columns: `system`, `tools`, `key` (or `id`), `reference`, and ifeval's.
    """
    before, answer = _answer(row, "completion")
    if before and row.values.get("prompt"):
        before = (*columns.prompt(row), *before)
    prompt, constraints = _prompt(row, before), columns.instructions(row, build)
    return columns.answered(row, prompt, answer, constraints)


@layouts.register(
    "preference", columns=[{"chosen", "rejected"}], over=("ifeval", "messages", "prompt_completion")
)
def preference(row: Row, build: columns.Build) -> Example:
    """Read pairs: `prompt`, `chosen`, `rejected`, each text or turns; `chosen` is the response.

    If `chosen` and `rejected` are whole conversations, they hold the prompt, and `prompt` is not
    needed. A `response` column, as teacher-gen writes it, replaces `chosen`.
    Optional columns: `tools`, `key` (or `id`), `reference`, and ifeval's.
    """
    before, chosen = _whole_or_answer(row, "chosen")
    other, rejected = _whole_or_answer(row, "rejected")
    if before != other:
        problem = "'chosen' and 'rejected' answer different turns"
        raise DataError(problem, "All turns but the last must be equal", where=row.origin)
    prompt, constraints = _prompt(row, before), columns.instructions(row, build)
    return columns.answered(row, prompt, chosen, constraints, rejected=rejected)


@layouts.register(
    "labelled",
    columns=[{"completion", "label"}],
    over=("ifeval", "messages", "prompt_completion"),
)
def labelled(row: Row, build: columns.Build) -> Example:
    """Read TRL's rows for KTO: `prompt`, `completion`, each text or turns, and a boolean `label`.

    A completion labelled true is the response, one labelled false the rejected answer. A `response`
    column, as teacher-gen writes it, is the response in either case. Optional columns: `tools`,
    `key` (or `id`), `reference`, and ifeval's.
    """
    before, answer = _whole_or_answer(row, "completion")
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
    """Return the prompt: the turns before the answer, or else the row's own `prompt`.

    Raises DataError if the former do not begin with the latter's turns.
    """
    if row.values.get("prompt") and isinstance(row.values["prompt"], list):
        own = columns.turns(row, "prompt")
        if before and before[: len(own)] != own:
            problem = "the turns before the answer do not begin with those of 'prompt'"
            advice = "Begin the answers with them, or set data.ignore=[prompt]"
            raise DataError(problem, advice, where=row.origin, got=row.values["prompt"])
        before = before or own
    return columns.with_system(row, before or columns.prompt(row))


def _answer(row: Row, name: str) -> tuple[tuple[Message, ...], Answer]:
    """Return the turns before an answer that is text or turns, and the answer."""
    if not isinstance(row.values.get(name), list):
        answer = columns.text(row, name)
        if answer is None:
            raise columns.missing(row, name)
        return (), Answer(answer)
    before, last = split_answer(row, columns.turns(row, name))
    if last is None:
        raise DataError(f"the last turn of '{name}' must be the assistant's", where=row.origin)
    return before, last


def _whole_or_answer(row: Row, name: str) -> tuple[tuple[Message, ...], Answer]:
    """Return what `_answer` does, of one turn or of turns that begin with the prompt."""
    before, last = _answer(row, name)
    if before and before[0].role == "assistant":
        problem = f"'{name}' begins with an answer: it must be one turn, or begin with the prompt"
        raise DataError(problem, where=row.origin)
    return before, last
