"""MATH: problems whose answer is written in LaTeX."""

from __future__ import annotations

from dataclasses import replace

from uniapl_cli.boxed import ask, last_boxed
from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example, Message


@layouts.register("math", columns=[])
def math(row: Row, build: columns.Build) -> Example:
    r"""Read MATH: a `problem`, a `solution` with the answer in its last \boxed{}, or an `answer`.

    The prompt asks for the answer in \boxed{}, which the constraint reads; the solution is the
    reference, not a response. Optional columns: `system`, `key` (or `id`), `response`, `reference`.
    """
    problem, solution = columns.first_text(row, ["problem"]), columns.first_text(row, ["solution"])
    if problem is None:
        raise columns.missing(row, "problem")
    answer = columns.first_text(row, ["answer"]) or last_boxed(solution or "")
    if not answer:
        if solution is None:
            raise columns.missing(row, "solution")
        error = "'solution' has no answer in \\boxed{...}, and there is no 'answer'"
        raise DataError(error, where=row.origin, got=solution)
    constraints = build(["answer:math"], [{"answer": answer}], row.origin)
    prompt = columns.with_system(row, (Message("user", ask(problem)),))
    example = columns.answered(row, prompt, None, constraints)
    return example if example.reference else replace(example, reference=solution or answer)
