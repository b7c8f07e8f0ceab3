"""MBPP: small tasks for Python, each with assertions that the code of a response has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.options import conforms
from uniapl_cli.types import Example, Message

TESTS = "code:tests"


@layouts.register("mbpp", columns=[{"text", "code", "test_list"}, {"prompt", "code", "test_list"}])
def mbpp(row: Row, build: columns.Build) -> Example:
    """Read google-research-datasets/mbpp: the task in `text`, or in `prompt` where it is sanitized.

    `test_list` are the assertions, shown in the prompt; `test_setup_code` follows the response's
    code, `test_imports` precede it. `code` is the reference. Optional columns: `system`, `key` (or
    `id`, `task_id`), `response`.
    """
    task = columns.first_text(row, ("text", "prompt"))
    if task is None:
        raise columns.missing(row, "text")
    tests = _lines(row, "test_list")
    kwargs: dict[str, object] = {"tests": tests}
    if imports := _lines(row, "test_imports"):
        kwargs["imports"] = imports
    if setup := (columns.text(row, "test_setup_code") or "").strip():
        kwargs["setup"] = setup.replace("\r\n", "\n")
    prompt = columns.with_system(row, (Message("user", question(task, tests)),))
    example = columns.answered(row, prompt, None, build([TESTS], [kwargs], row.origin))
    named = any(row.values.get(name) is not None for name in ("key", "id"))
    number = row.values.get("task_id")
    return replace(
        example,
        id=example.id if named or number is None else str(number),
        reference=(columns.text(row, "code") or "").replace("\r\n", "\n") or None,
    )


def question(task: str, tests: Sequence[str]) -> str:
    """Return the prompt of a task: its text, the tests, and how to answer."""
    shown = "\n".join(tests)
    return (
        f"{task.strip()}\n\nYour code should pass these tests:\n\n```python\n{shown}\n```\n\n"
        "Answer with the code that these tests need, in one Python code block."
    )


def _lines(row: Row, name: str) -> list[str]:
    lines = row.values.get(name)
    if lines is None:
        return []
    if not conforms(lines, list[str]):
        raise DataError(f"'{name}' must be a list of texts", where=row.origin, got=lines)
    return [line.strip() for line in lines]
