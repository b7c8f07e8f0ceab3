"""Our verdicts against those that the official IFEval code stored, for three models' answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from uniapl_cli.verifiers import constraint, constraints, judge, splitter_name, text

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
FILES = ("gpt4_eval_results", "mifeval_en_mistral-7b-v0.3", "mifeval_en_qwen2.5-1.5b-gptq")
LANGDETECT = {
    "language:response_language",
    "change_case:english_capital",
    "change_case:english_lowercase",
}
RANDOM = {(1122, "keywords:letter_frequency"), (1129, "keywords:letter_frequency")}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "ifeval").is_dir(), reason="shared/data/ifeval is not here"),
]


class Decision(NamedTuple):
    key: int
    id: str
    ours: tuple[bool, bool]
    official: tuple[bool, bool]


@pytest.fixture(autouse=True)
def _punkt(monkeypatch):
    monkeypatch.setattr("nltk.data.path", [str(SHARED / "nltk")])
    text.forget_splitter()
    assert splitter_name().startswith("punkt (")
    yield
    text.forget_splitter()


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (SHARED / "ifeval" / name).open(encoding="utf-8")]


def decisions(name: str) -> Iterator[Decision]:
    prompts = {row["prompt"]: row for row in read("input_data.jsonl")}
    strict, loose = (read(f"{name}_{kind}.part1.jsonl") for kind in ("strict", "loose"))
    for one, other in zip(strict, loose, strict=True):
        row = prompts[one["prompt"]]
        ids = [id.removeprefix("en:") for id in one["instruction_id_list"]]
        assert (ids, one["response"]) == (row["instruction_id_list"], other["response"])
        verdict = judge(one["response"], constraints(ids, row["kwargs"]))
        ours = zip(verdict.strict, verdict.loose, strict=True)
        lists = (one["follow_instruction_list"], other["follow_instruction_list"])
        for id, own, official in zip(ids, ours, zip(*lists, strict=True), strict=True):
            yield Decision(row["key"], id, own, official)


@pytest.mark.parametrize("name", FILES)
def test_every_deterministic_decision_is_the_official_one(name):
    decided = [d for d in decisions(name) if d.id not in LANGDETECT and (d.key, d.id) not in RANDOM]
    assert [d for d in decided if d.ours != d.official] == []
    assert len(decided) == 368  # each strict and loose: 736 decisions
    assert len({d.id for d in decided}) == 22


@pytest.mark.slow
def test_the_language_decisions_are_nearly_all_the_official_ones():
    decided = [d for name in FILES for d in decisions(name) if d.id in LANGDETECT]
    strict = sum(d.ours[0] == d.official[0] for d in decided)
    loose = sum(d.ours[1] == d.official[1] for d in decided)
    assert len(decided) == 138  # each strict and loose: 276 decisions
    assert (strict + loose) / 276 >= 0.97


def test_every_constraint_of_ifeval_can_be_built():
    built = [
        constraint(id, kwargs)
        for row in read("input_data.jsonl")
        for id, kwargs in zip(row["instruction_id_list"], row["kwargs"], strict=True)
    ]
    assert len(built) == 834
