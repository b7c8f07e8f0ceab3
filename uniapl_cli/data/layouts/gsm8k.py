"""GSM8K: questions whose answer is a number."""

from __future__ import annotations

from dataclasses import replace

from uniapl_cli.boxed import ask
from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message

MARK = "####"


@layouts.register("gsm8k", columns=[])
def gsm8k(row: Row, build: columns.Build) -> Example:
    r"""Read openai/gsm8k: a `question`, and an `answer` that ends with `#### ` and the number.

    The prompt asks for the number in \boxed{}, which the constraint reads; the answer is the
    reference, not a response. Optional columns: `system`, `key` (or `id`), `response`, `reference`.
    """
    question, answer = columns.first_text(row, ["question"]), columns.first_text(row, ["answer"])
    if question is None:
        raise columns.missing(row, "question")
    if answer is None:
        raise columns.missing(row, "answer")
    if MARK not in answer:
        problem = f"'answer' must end with {MARK} and a number"
        raise DataError(problem, where=row.origin, got=answer)
    number = answer.rpartition(MARK)[2].strip()
    constraints = build(["answer:number"], [{"answer": number}], row.origin)
    prompt = columns.with_system(row, (Message("user", ask(question)),))
    example = columns.answered(row, prompt, None, constraints)
    return example if example.reference else replace(example, reference=answer)
