"""Our verdicts against those of open-instruct's IFEvalG checkers, all 54 of them."""

import ast
import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from uniapl_cli.data.layouts import layouts
from uniapl_cli.files import Row
from uniapl_cli.verifiers import Case, Judge, constraints, splitter_name, text

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
CASES = SHARED / "ifevalg" / "reference.part1.jsonl"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CASES.is_file(), reason="shared/data/ifevalg is not here"),
]


class Decided(NamedTuple):
    id: str
    instructions: list[str]
    ours: list[bool]
    official: list[bool]
    score: float


@pytest.fixture(autouse=True)
def _punkt(monkeypatch):
    monkeypatch.setattr("nltk.data.path", [str(SHARED / "nltk")])
    text.forget_splitter()
    assert splitter_name().startswith("punkt (")
    yield
    text.forget_splitter()


def cases() -> list[Decided]:
    judged, judge = [], Judge()
    for line in CASES.open(encoding="utf-8"):
        row = json.loads(line)
        (truth,) = ast.literal_eval(row["ground_truth"])
        asked = {**row, "messages": [{"role": "user", "content": "Hi"}]}
        example = layouts["if_multi"].definition(Row(row["id"], asked), constraints)
        (verdict,) = judge([Case(row["response"], example.constraints)], loose=False)
        ours = list(verdict.strict)
        judged.append(
            Decided(row["id"], truth["instruction_id"], ours, row["expected"], row["score"])
        )
    return judged


def test_every_case_is_judged_as_officially():
    judged = cases()
    assert [case for case in judged if case.ours != case.official] == []
    assert [c for c in judged if c.score != sum(c.ours) / len(c.ours)] == []
    assert len(judged) == 461
    assert sum(len(case.ours) for case in judged) == 671
    assert len({id for case in judged for id in case.instructions}) == 54
    decisions = {d for c in judged for d in zip(c.instructions, c.ours, strict=True)}
    assert len(decisions) == 108  # each of the 54 is followed by some response, and not by another


def test_nothing_is_drawn():
    state = random.getstate()
    assert cases() == cases()
    assert random.getstate() == state
