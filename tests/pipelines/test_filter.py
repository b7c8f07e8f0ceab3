"""Which rows are kept, by rows made by hand."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.files import read_rows
from uniapl_cli.pipelines.filter import filter_rows, with_constraints
from uniapl_cli.types import Constraint

COMMA, QUOTED, TITLE = "punctuation:no_comma", "startend:quotation", "detectable_format:title"


@pytest.fixture
def given(example):
    return [
        example("good", '"No comma."', COMMA, QUOTED),
        example("bad", "Yes, one.", COMMA, QUOTED),
        example("half", "None.", COMMA, QUOTED),
        example("free", "Anything."),
        example("loose", "Sure!\n<<A title>> \n**Bye**", TITLE, QUOTED),
        example("loose too", 'Sure,\n"Quoted."', COMMA, QUOTED),
    ]


def rows(path) -> dict[str, dict]:
    return {row.values["key"]: row.values for row in read_rows(path)}


def test_rows_that_pass_are_kept_and_the_others_say_why(given, tmp_path):
    counts = filter_rows(given, tmp_path / "kept", tmp_path / "rejected")
    kept, rejected = rows(tmp_path / "kept"), rows(tmp_path / "rejected")
    assert list(kept) == ["good"]
    assert {key: row["failed"] for key, row in rejected.items()} == {
        "bad": [COMMA, QUOTED],
        "half": [QUOTED],
        "free": [],
        "loose": [QUOTED],
        "loose too": [COMMA, QUOTED],
    }
    assert counts == {
        "kept": 1,
        "rejected": 5,
        "without constraints": 1,
        "rejected by id": {QUOTED: 4, COMMA: 2},
        "out": str(tmp_path / "kept"),
    }


def test_every_row_carries_both_verdicts_and_its_own_columns(given, tmp_path):
    filter_rows(given, tmp_path / "kept", tmp_path / "rejected")
    assert rows(tmp_path / "kept")["good"] == {
        "key": "good",
        "prompt": "Hi",
        "response": '"No comma."',
        "verdict": {"strict": [True, True], "loose": [True, True]},
    }
    verdicts = {key: row["verdict"] for key, row in rows(tmp_path / "rejected").items()}
    assert verdicts["half"] == {"strict": [True, False], "loose": [True, False]}
    assert verdicts["loose too"] == {"strict": [False, False], "loose": [True, True]}
    assert verdicts["free"] == {"strict": [], "loose": []}


def test_loose_mode_decides_by_the_loose_verdict(given, tmp_path):
    counts = filter_rows(given, tmp_path / "kept", tmp_path / "rejected", mode="loose")
    assert list(rows(tmp_path / "kept")) == ["good", "loose too"]
    assert counts["rejected by id"] == {QUOTED: 3, COMMA: 1}


def test_an_empty_think_block_is_not_judged(example, tmp_path):
    row = example("1", '<think>\n\n</think>\n\n"Quoted."', QUOTED)
    assert filter_rows([row], tmp_path / "kept")["kept"] == 1
    assert "</think>" in rows(tmp_path / "kept")["1"]["response"]


def test_rejected_rows_need_no_file(given, tmp_path):
    filter_rows(given, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_nothing_is_written_when_a_row_in_the_middle_is_bad(given, example, tmp_path):
    broken = [*given[:3], example("none"), *given[3:]]
    with pytest.raises(DataError, match="rows.jsonl:none: no 'response' to judge"):
        filter_rows(broken, tmp_path / "kept", tmp_path / "rejected")
    assert list(tmp_path.iterdir()) == []


def test_both_outputs_in_one_file_are_refused(given, tmp_path):
    with pytest.raises(DataError, match="cannot share"):
        filter_rows(given, tmp_path / "kept", tmp_path / "new" / ".." / "kept")
    assert list(tmp_path.iterdir()) == []


def test_constraints_may_come_from_another_file(example):
    owner = example("k1", None, COMMA, prompt="A", kwargs=[{}], instruction_id_list=[COMMA])
    answers = [example("1", "Yes.", prompt="A"), example("2", "No.", QUOTED, prompt="B")]
    joined = list(with_constraints(answers, {"A": owner}))
    assert joined[0].constraints == (Constraint(COMMA),)
    assert joined[0].response == "Yes."
    assert joined[0].row == {
        "key": "k1",
        "prompt": "A",
        "response": "Yes.",
        "kwargs": [{}],
        "instruction_id_list": [COMMA],
    }
    assert joined[1].constraints == ()
