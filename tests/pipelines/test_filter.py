"""Which rows are kept."""

from itertools import permutations

import pytest
from filter_cases import COMMA, QUOTED, TITLE, row, rows, run

from uniapl_cli.data import RowReader
from uniapl_cli.errors import DataError
from uniapl_cli.pipelines.filter import judged_chunks, with_constraints
from uniapl_cli.sandbox import Sandbox


@pytest.fixture
def mixed():
    return [
        row("good", '"No comma."', COMMA, QUOTED),
        row("bad", "Yes, one.", COMMA, QUOTED),
        row("half", "None.", COMMA, QUOTED),
        row("free", "Anything."),
        row("loose", "Sure!\n<<A title>> \n**Bye**", TITLE, QUOTED),
        row("loose too", 'Sure,\n"Quoted."', COMMA, QUOTED),
    ]


def test_rows_that_pass_are_kept_and_the_others_say_why(mixed, tmp_path):
    counts = run(mixed, tmp_path / "kept", tmp_path / "rejected")
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
        "passed over": 0,
        "bad rows": 0,
        "duplicates": 0,
        "without constraints": 1,
        "cut off": 0,
        "rejected by id": {QUOTED: 4, COMMA: 2},
        "errors by id": {},
    }


def test_every_row_carries_both_verdicts_and_its_own_columns(mixed, tmp_path):
    run(mixed, tmp_path / "kept", tmp_path / "rejected")
    assert rows(tmp_path / "kept")["good"] == {
        "key": "good",
        "prompt": "Hi",
        "instruction_id_list": [COMMA, QUOTED],
        "kwargs": [{}, {}],
        "response": '"No comma."',
        "verdict": {"strict": [True, True], "loose": [True, True]},
    }
    verdicts = {key: row["verdict"] for key, row in rows(tmp_path / "rejected").items()}
    assert verdicts["half"] == {"strict": [True, False], "loose": [True, False]}
    assert verdicts["loose too"] == {"strict": [False, False], "loose": [True, True]}
    assert verdicts["free"] == {"strict": [], "loose": []}


def test_loose_mode_decides_by_the_loose_verdict(mixed, tmp_path):
    counts = run(mixed, tmp_path / "kept", tmp_path / "rejected", mode="loose")
    assert list(rows(tmp_path / "kept")) == ["good", "loose too"]
    assert counts["rejected by id"] == {QUOTED: 3, COMMA: 1}


def test_an_empty_think_block_is_not_judged(tmp_path):
    answer = row("1", '<think>\n\n</think>\n\n"Quoted."', QUOTED)
    assert run([answer], tmp_path / "kept")["kept"] == 1
    assert "</think>" in rows(tmp_path / "kept")["1"]["response"]


def test_rejected_rows_need_no_file(mixed, tmp_path):
    run(mixed, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_nothing_is_written_when_a_row_in_the_middle_is_bad(mixed, tmp_path):
    broken = [*mixed[:3], row("none"), *mixed[3:]]
    with pytest.raises(DataError) as caught:
        run(broken, tmp_path / "kept", tmp_path / "rejected")
    assert caught.value.where == "rows.jsonl:none"
    assert list(tmp_path.iterdir()) == []


def test_constraints_may_come_from_another_file():
    owner = row("k1", None, COMMA, prompt="A")
    answers = [row("1", "Yes.", prompt="A"), row("2", "No.", QUOTED, prompt="B")]
    joined = list(with_constraints(answers, [owner]))
    assert joined[0].values == {**owner.values, "key": "1", "response": "Yes."}
    assert joined[0].origin == "rows.jsonl:1"
    assert joined[1] == answers[1]


def test_other_constraints_of_one_prompt_are_refused():
    owners = [row("1", None, COMMA), row("2", None, COMMA), row("3", None, QUOTED)]
    with pytest.raises(DataError) as caught:
        list(with_constraints([], owners))
    assert caught.value.where == "rows.jsonl:3"


def test_a_tolerated_bad_row_is_counted_and_one_more_stops(mixed, tmp_path):
    broken = [*mixed, row("none"), row("nothing")]
    assert run(broken, tmp_path / "kept", tolerance=2)["bad rows"] == 2
    with pytest.raises(DataError) as caught:
        run(broken, tmp_path / "again", tolerance=1)
    assert caught.value.where == "rows.jsonl:nothing"
    assert not (tmp_path / "again").exists()


ANSWERS = [
    ("a1", "Long enough.", "A"),
    ("b1", "No, comma.", "B"),
    ("a2", "Short.", "A"),
    ("b2", "So.", "B"),
    ("a3", "Short.", "A"),
]


@pytest.mark.parametrize(
    ("choice", "kept"),
    {"all": ["a1", "a2", "b2", "a3"], "first": ["a1", "b2"], "shortest": ["a2", "b2"]}.items(),
)
def test_one_response_a_prompt_can_be_chosen(tmp_path, choice, kept):
    answers = [row(key, text, COMMA, prompt=prompt) for key, text, prompt in ANSWERS]
    counts = run(answers, tmp_path / "kept", choice=choice)
    assert sorted(rows(tmp_path / "kept")) == sorted(kept)
    assert (counts["passed over"], counts["duplicates"]) == (4 - len(kept), 1)


def cut(key, text="So the", prompt="A", reason="length"):
    return row(key, text, COMMA, prompt=prompt, finish_reason=reason)


@pytest.mark.parametrize("reason", ["length", "max_tokens", "content_filter", "Length"])
def test_a_response_that_was_cut_off_is_rejected_under_a_name_of_its_own(tmp_path, reason):
    answers = [cut("cut", reason=reason), cut("cut and wrong", "No, the", reason=reason)]
    counts = run([*answers, cut("whole", "So.", reason="stop")], *both(tmp_path))
    assert list(rows(tmp_path / "kept")) == ["whole"]
    rejected = rows(tmp_path / "rejected")
    assert {key: r["failed"] for key, r in rejected.items()} == {
        "cut": [],
        "cut and wrong": [COMMA],
    }
    assert (counts["cut off"], counts["rejected"], counts["kept"]) == (2, 2, 1)
    assert counts["rejected by id"] == {COMMA: 1}


@pytest.mark.parametrize("reason", [None, "", "stop", "eos_token", "STOP"])
def test_a_response_that_ended_by_itself_is_whole(tmp_path, reason):
    counts = run([cut("1", reason=reason)], tmp_path / "kept")
    assert (counts["cut off"], counts["kept"]) == (0, 1)


def test_cut_off_responses_can_be_kept(tmp_path):
    answers = [cut("cut"), cut("cut and wrong", "No, the")]
    counts = run(answers, tmp_path / "kept", cut_off="keep")
    assert list(rows(tmp_path / "kept")) == ["cut"]
    assert (counts["cut off"], counts["rejected"], counts["kept"]) == (2, 1, 1)


@pytest.mark.parametrize("choice", ["first", "shortest"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_whole_response_goes_before_one_that_was_cut_off(tmp_path, choice, order):
    answers = [cut("cut", "S"), cut("whole", "So it is.", reason="stop"), cut("alone", prompt="B")]
    in_order = [answers[index] for index in order]
    counts = run(in_order, tmp_path / "kept", choice=choice, cut_off="keep")
    assert sorted(rows(tmp_path / "kept")) == ["alone", "whole"]
    assert (counts["kept"], counts["passed over"]) == (2, 1)


def test_how_the_responses_of_the_other_file_ended_is_not_taken():
    owner = row("k1", "So the", COMMA, prompt="A", finish_reason="length")
    [joined] = with_constraints([row("1", "Yes.", prompt="A")], [owner])
    assert joined.values["response"] == "Yes." and "finish_reason" not in joined.values


def both(folder):
    return folder / "kept", folder / "rejected"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_size_of_a_chunk_changes_nothing(mixed, tmp_path, monkeypatch, size):
    run(mixed, tmp_path / "whole", tmp_path / "others")
    monkeypatch.setattr("uniapl_cli.pipelines.filter.CHUNK", size)
    run(mixed, tmp_path / "kept", tmp_path / "rejected")
    assert (tmp_path / "kept").read_bytes() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "rejected").read_bytes() == (tmp_path / "others").read_bytes()


def test_the_processes_that_judge_import_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from uniapl_cli.pipelines.filter_worker import Worker;"
        "from uniapl_cli.data import RowReader;"
        "from uniapl_cli.files import Row; from uniapl_cli.sandbox import Sandbox;"
        "row = Row('r:1', {'prompt': 'Hi', 'response': 'So.', 'kwargs': [{}],"
        "'instruction_id_list': ['punctuation:no_comma']});"
        "worker = Worker(RowReader('ifeval'), 'strict', True, Sandbox);"
        "[judged] = worker([row]); assert judged.passed;"
        "sys.exit(bool({'torch', 'transformers', 'omegaconf'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_processes_judge_alike(mixed, tmp_path):
    options = (RowReader("ifeval"), "strict", True, Sandbox)
    with (
        judged_chunks(mixed, 1, *options) as here,
        judged_chunks(mixed, 2, *options) as there,
    ):
        assert list(here) == list(there)


def test_a_row_with_an_instruction_for_evaluation_only_is_bad(mixed, tmp_path):
    with pytest.raises(DataError) as caught:
        run([*mixed, row("own", "So.", COMMA, "words:vowel")], tmp_path / "kept")
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:own", "words:vowel")
