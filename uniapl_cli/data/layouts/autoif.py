"""AutoIF: rows whose constraints are Python functions that a language model wrote."""

from __future__ import annotations

from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.data.turns import Answer, split_answer
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.options import conforms
from uniapl_cli.types import Example

FUNCTION = "autoif:evaluate"


@layouts.register(
    "autoif", columns=[{"eval_funcs", "messages"}, {"eval_func", "prompt"}], turns="messages"
)
def autoif(row: Row, build: columns.Build) -> Example:
    """Read AutoIF-instruct-61k-with-funcs, or the older `eval_func: [[code, accuracy], ...]`.

    Each distinct source text is one constraint, checked in the sandbox. The response is the last
    assistant turn of `messages`, or the first entry of `gpt-answer`.
    """
    sources = list(dict.fromkeys(_sources(row)))
    constraints = build(
        [FUNCTION] * len(sources), [{"source": text} for text in sources], row.origin
    )
    if row.values.get("messages") is None:
        prompt = columns.with_system(row, columns.prompt(row))
        return columns.answered(row, prompt, _first_answer(row), constraints)
    prompt, answer = split_answer(row, columns.turns(row, "messages"))
    return columns.answered(row, columns.with_system(row, prompt), answer, constraints)


def _sources(row: Row) -> list[str]:
    sources: Any = row.values.get("eval_funcs", row.values.get("eval_func"))
    if conforms(sources, list[list[object]]):
        sources = [pair[0] for pair in sources if pair]
    if not sources or not conforms(sources, list[str]):
        raise DataError(
            "eval_funcs must be a list of source texts, or eval_func one of [source, accuracy] "
            "pairs",
            where=row.origin,
            got=sources,
        )
    return list(sources)


def _first_answer(row: Row) -> Answer | None:
    answers = row.values.get("gpt-answer")
    return Answer(answers[0]) if answers and conforms(answers, list[str]) else None
