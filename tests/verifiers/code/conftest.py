from collections.abc import Callable, Iterator

import pytest
from halves_task import PROMPT, TEST

from uniapl_cli.sandbox import Sandbox
from uniapl_cli.types import Constraint, Grade
from uniapl_cli.verifiers import Case, Judge, constraint


@pytest.fixture(scope="session")
def code_judge() -> Iterator[Judge]:
    with Sandbox(workers=2, require=()) as box:
        yield Judge(lambda packages: box)


@pytest.fixture
def grades(code_judge) -> Callable[..., list[Grade]]:
    """grades(constraint, *responses): a grade each."""

    def grade(check: Constraint, *responses: str) -> list[Grade]:
        verdicts = code_judge([Case(text, [check]) for text in responses])
        found = [verdict.grades[0] for verdict in verdicts]
        assert [grade.correct for grade in found] == [verdict.passed for verdict in verdicts]
        assert not any(any(verdict.errors) for verdict in verdicts)
        return found

    return grade


@pytest.fixture
def halves() -> Constraint:
    kwargs = {"prompt": PROMPT, "entry_point": "halves", "test": TEST}
    return constraint("code:humaneval", kwargs)


@pytest.fixture
def double() -> Constraint:
    return constraint("code:tests", {"tests": ["assert double(2) == 4", "assert double(0) == 0"]})
