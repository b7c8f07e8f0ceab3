"""Rows without turns: Alpaca's instruction and output, a question and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.data.turns import Answer, is_blank
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message

QUESTIONS = ("question", "query", "problem")
ANSWERS = ("answer", "solution")
# Columns without which a question may not be what was asked; A and B are choices.
OF_THE_QUESTION = ("choices", "options", "context", "input", "instruction", "A", "B")


@layouts.register(
    "alpaca",
    columns=[{"instruction", name} for name in ("output", "response", "input", "context")],
)
def alpaca(row: Row, build: columns.Build) -> Example:
    """Read Alpaca's `instruction`, `input` and `output`, or Dolly's `context` and `response`.

    The prompt is the instruction and, on a line below, the input. `history`, a list of
    [instruction, output], is what was said before. Optional columns: `system`, `tools`, `key` (or
    `id`), `reference`, and ifeval's.
    """
    question = columns.first_text(row, ["instruction"])
    if question is None:
        raise columns.missing(row, "instruction")
    material = [text for name in ("input", "context") if (text := columns.text(row, name))]
    question = "\n".join([question, *(text for text in material if text.strip())])
    answer = columns.text(row, "output")
    prompt = columns.with_system(row, (*_history(row), Message("user", question)))
    answered = None if answer is None else Answer(answer)
    return columns.answered(row, prompt, answered, columns.instructions(row, build))


def _history(row: Row) -> tuple[Message, ...]:
    history: Any = row.values.get("history") or []
    pairs = history if isinstance(history, list) else [history]
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or [type(text) for text in pair] != [str, str]:
            problem = "'history' must be a list of [instruction, output], both texts"
            raise DataError(problem, where=row.origin, got=history)
    return tuple(
        message
        for question, answer in pairs
        for message in (Message("user", question), Message("assistant", answer))
    )


@layouts.register(
    "question_answer",
    columns=[{question, answer} for question in QUESTIONS for answer in (*ANSWERS, "response")],
)
def question_answer(row: Row, build: columns.Build) -> Example:
    """Read a `question`, `query` or `problem` with its `solution`, `answer` or `response`.

    The solution is the response where there is an answer too. Rows with choices, or a
    `context`, are refused: the question alone would not be what was asked. Optional columns:
    `system`, `tools`, `key` (or `id`), `reference`, and ifeval's.
    """
    for name in OF_THE_QUESTION:
        if not is_blank(row.values.get(name)):
            problem = f"the column '{name}' is not read, and the question may need it"
            advice = f"Write both into a column 'prompt', or set data.ignore=[{name}]"
            raise DataError(problem, advice, where=row.origin, got=name)
    question = columns.first_text(row, QUESTIONS)
    if question is None:
        raise columns.missing(row, _first(row, QUESTIONS))
    answer = columns.first_text(row, ("solution", "answer"))
    prompt = columns.with_system(row, (Message("user", question),))
    answered = None if answer is None else Answer(answer)
    return columns.answered(row, prompt, answered, columns.instructions(row, build))


def _first(row: Row, names: Sequence[str]) -> str:
    return next((name for name in names if name in row.values), names[0])
