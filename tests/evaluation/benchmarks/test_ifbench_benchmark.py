"""IFBench as a benchmark, on made-up rows; and its instructions in the list of verifiers."""

import json
from pathlib import Path

import pytest

from uniapl_cli.commands.listing import catalogue
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import Graded, benchmarks
from uniapl_cli.evaluation.scores import score
from uniapl_cli.types import Verdict
from uniapl_cli.verifiers import Case, Judge, verifiers

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "ifbench"
# As the authors' file has them: null for kwargs of other instructions, numbers as floats.
ROWS = [
    ("a", "Say it.", ["words:vowel", "count:numbers"], [{"N": None}, {"N": 1.0}]),
    ("b", "Begin.", ["words:start_verb", "count:numbers"], [{"N": None}, {"N": 2.0}]),
    ("c", "Go.", ["words:start_verb"], [{"N": None}]),
]
NAMES = ("key", "prompt", "instruction_id_list", "kwargs")


@pytest.fixture
def rows(tmp_path):
    lines = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS]
    (tmp_path / "IFBench_test.jsonl").write_text("\n".join(lines), "utf-8")
    return tmp_path


@pytest.fixture
def ifbench():
    return benchmarks.options("ifbench")


@pytest.fixture
def without_tagger(monkeypatch):
    need = verifiers["words:start_verb"].traits["needs"]
    monkeypatch.setitem(need.__dict__, "found", lambda: False)


def test_items_are_the_prompts_as_they_are(ifbench, rows):
    items = ifbench.items(rows)
    assert [(item.id, item.turns[0].question) for item in items] == [row[:2] for row in ROWS]
    assert [c.id for c in items[0].turns[0].constraints] == ROWS[0][2]
    numbers = items[0].turns[0].constraints[1].kwargs
    assert numbers == {"N": 1} and type(numbers["N"]) is int
    assert not any(item.refused for item in items)


def test_a_row_without_a_kwarg_is_an_error(ifbench, tmp_path):
    row = dict(zip(NAMES, ("a", "Say it.", ["count:numbers"], [{"N": None}]), strict=True))
    (tmp_path / "IFBench_test.jsonl").write_text(json.dumps(row), "utf-8")
    with pytest.raises(DataError) as caught:
        ifbench.items(tmp_path)
    assert caught.value.key == "N" and caught.value.line == 1


def marks(ifbench, item, strict, loose):
    return ifbench.marks(item, 0, Verdict(strict, loose))


@pytest.mark.usefixtures("without_tagger")
def test_what_cannot_be_judged_is_in_no_rate_and_counted(ifbench, rows):
    whole, part, none = ifbench.items(rows)
    assert marks(ifbench, whole, (True, False), (True, True)) == {
        "prompt_strict": (0.0, 1.0),
        "inst_strict": (1.0, 2.0),
        "prompt_loose": (1.0, 1.0),
        "inst_loose": (2.0, 2.0),
        "not_graded": (0.0, 2.0),
    }
    assert marks(ifbench, part, (False, True), (False, True)) == {
        "inst_strict": (1.0, 1.0),
        "inst_loose": (1.0, 1.0),
        "not_graded": (1.0, 2.0),
    }
    assert marks(ifbench, none, (False,), (False,))["not_graded"] == (1.0, 1.0)


@pytest.mark.usefixtures("without_tagger")
def test_texts_become_a_score_and_a_count(ifbench, rows):
    items, judge = ifbench.items(rows), Judge()
    texts = ["Sure:\nThe red fox is 1", "Numbers 1 and 2", "Go."]
    cases = [Case(text, i.turns[0].constraints, i.id) for i, text in zip(items, texts, strict=True)]
    graded = [
        Graded(item, 0, 0, ifbench.marks(item, 0, verdict), "", failed=any(verdict.errors))
        for item, verdict in zip(items, judge(cases), strict=True)
    ]
    found = score(ifbench, graded)
    means = {name: metric["mean"] for name, metric in found["metrics"].items()}
    assert means == {
        "prompt_loose": 1.0,  # of one prompt: its first line has no part in it
        "prompt_strict": 0.0,
        "inst_loose": 1.0,
        "inst_strict": pytest.approx(2 / 3),
        "not_graded": pytest.approx(2 / 5),
    }
    assert found["metrics"]["prompt_loose"]["n"] == 1 and found["errors"] == 2
    assert judge.failures == {"words:start_verb": 2}


def test_the_list_of_verifiers_marks_what_is_for_evaluation_only():
    marked = {
        entry["name"]
        for entry in catalogue("verifiers")["verifiers"]
        if entry["does"].endswith("(evaluation only)")
    }
    assert marked == {id for id in verifiers if verifiers[id].traits.get("evaluation")}
    assert len(marked) >= 58


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data/ifbench is not here")
def test_all_of_the_authors_rows_are_read(ifbench):
    items = ifbench.items(SHARED)
    assert len({item.id for item in items}) == 300
    lengths = [len(item.turns[0].constraints) for item in items]
    assert (lengths.count(1), lengths.count(2)) == (256, 44)
    ids = [c.id for item in items for c in item.turns[0].constraints]
    assert len(set(ids)) == 58 and ids.count("words:start_verb") == 6
