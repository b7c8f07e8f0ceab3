"""Which responses become pairs."""

import json
from itertools import permutations

import pytest
from filter_cases import COMMA, QUOTED, row, rows, run

from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.types import Constraint, Message
from uniapl_cli.verifiers import constraints


def read(path):
    return read_examples(open_rows(str(path)), "auto", constraints, BadRows(0))


def pairs(path):
    """The pairs of a file as (key, prompt, chosen, rejected), each a text."""
    return [(e.id, e.prompt_text, e.response, e.rejected) for e in read(path)]


def answer(prompt, response, *ids, **columns):
    return row("1", response, *(ids or (COMMA,)), prompt=prompt, **columns)


ROWS = [
    answer("A", "One."),
    answer("A", "Two, two."),
    answer("A", "Three."),
    answer("A", "Four, four."),
    answer("A", "Five."),
    answer("B", "All is well."),
    answer("C", "No, no."),
]
PAIRS = [("1-0", "A", "One.", "Two, two."), ("1-1", "A", "Three.", "Four, four.")]


def test_the_nth_that_passes_stands_beside_the_nth_that_fails(tmp_path):
    counts = run(ROWS, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    assert pairs(tmp_path / "pairs.jsonl") == PAIRS
    assert (counts["pairs"], counts["prompts without a pair"]) == (2, 2)
    assert (counts["kept"], counts["rejected"]) == (4, 3)


@pytest.mark.parametrize("choice", ["first", "shortest"])
def test_what_is_kept_does_not_change_the_pairs(tmp_path, choice):
    run(ROWS, tmp_path / "kept", choice=choice, pairs=tmp_path / "pairs.jsonl")
    assert pairs(tmp_path / "pairs.jsonl") == PAIRS


def test_responses_may_stand_apart(tmp_path):
    """Two files of responses, one behind the other, give the same pairs as row by row."""
    for number, order in enumerate(permutations(ROWS[:4])):
        mixed = [ROWS[5], *order[:2], ROWS[6], *order[2:]]
        counts = run(mixed, tmp_path / "kept", pairs=tmp_path / f"{number}.jsonl")
        written = pairs(tmp_path / f"{number}.jsonl")
        assert counts["pairs"] == len(written) == 2
        answers = [text for r in order if "," not in (text := r.values["response"])]
        assert [chosen for _, _, chosen, _ in written] == answers
        answers = [text for r in order if "," in (text := r.values["response"])]
        assert [rejected for _, _, _, rejected in written] == answers


def test_a_pair_carries_its_prompt_its_constraints_and_its_reference(tmp_path):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    both = [answer(None, text, messages=turns, reference="So.") for text in ("Yes.", "No, no.")]
    run(both, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    (example,) = read(tmp_path / "pairs.jsonl")
    assert example.prompt == (Message("system", "Be brief."), Message("user", "Why?"))
    assert example.constraints == (Constraint(COMMA, {}),)
    assert (example.response, example.rejected, example.reference) == ("Yes.", "No, no.", "So.")


def test_the_rows_are_trls(tmp_path):
    run(ROWS, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    written = json.loads((tmp_path / "pairs.jsonl").read_text().splitlines()[0])
    assert written == {
        "key": "1-0",
        "prompt": [{"role": "user", "content": "A"}],
        "instruction_id_list": [COMMA],
        "kwargs": [{}],
        "chosen": [{"role": "assistant", "content": "One."}],
        "rejected": [{"role": "assistant", "content": "Two, two."}],
    }


def test_one_text_under_other_constraints_is_another_prompt(tmp_path):
    answers = [answer("A", "One."), answer("A", "Two.", COMMA, QUOTED)]
    counts = run(answers, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    assert (counts["pairs"], counts["prompts without a pair"]) == (0, 2)


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_the_mode_decides_which_responses_pass(tmp_path, mode):
    answers = [
        answer("A", 'Sure,\n"Quoted."', COMMA, QUOTED),
        answer("A", "No, no.", COMMA, QUOTED),
    ]
    counts = run(answers, tmp_path / "kept", mode=mode, pairs=tmp_path / "pairs.jsonl")
    assert counts["pairs"] == (mode == "loose")


def test_a_response_that_nothing_verifies_is_neither_good_nor_bad(tmp_path):
    answers = [row("1", "Good.", prompt="A"), row("2", "Bad.", prompt="A")]
    counts = run(answers, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    assert (counts["pairs"], counts["prompts without a pair"]) == (0, 0)
    assert counts["without constraints"] == 2


def test_a_response_that_could_not_be_judged_is_not_rejected(tmp_path, monkeypatch):
    from uniapl_cli.verifiers import Judge

    def broken(self, cases):
        return [
            type(verdict)(verdict.strict, verdict.loose, ("broken", None)[: len(verdict.strict)])
            if "," in case.response
            else verdict
            for case, verdict in zip(cases, judge(self, cases), strict=True)
        ]

    judge = Judge.__call__
    monkeypatch.setattr(Judge, "__call__", broken)
    unclear = [answer("A", "One."), answer("A", "Two, two.")]
    counts = run(unclear, tmp_path / "kept", pairs=tmp_path / "a.jsonl")
    assert (counts["pairs"], counts["rejected"], counts["errors by id"]) == (0, 1, {COMMA: 1})
    # It breaks another constraint too, and that one was judged.
    clear = [answer("A", text, COMMA, QUOTED) for text in ('"One."', "Two, two.")]
    assert run(clear, tmp_path / "kept", pairs=tmp_path / "b.jsonl")["pairs"] == 1


@pytest.mark.parametrize("cut_off", ["reject", "keep"])
@pytest.mark.parametrize("text", ["One the", "Two, the"])
def test_a_response_that_was_cut_off_is_neither_the_better_nor_the_worse(tmp_path, text, cut_off):
    cut = answer("A", text, finish_reason="length")
    for other in (answer("A", "One."), answer("A", "Two, two.")):
        counts = run([cut, other], tmp_path / "kept", cut_off=cut_off, pairs=tmp_path / "p.jsonl")
        assert counts["pairs"] == 0
    both = [cut, answer("A", "One."), answer("A", "Two, two.")]
    run(both, tmp_path / "kept", cut_off=cut_off, pairs=tmp_path / "p.jsonl")
    assert pairs(tmp_path / "p.jsonl") == [("1-0", "A", "One.", "Two, two.")]


def test_no_pairs_are_written_unless_asked_for(tmp_path):
    counts = run(ROWS, tmp_path / "kept")
    assert "pairs" not in counts
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_no_file_appears_when_a_row_in_the_middle_is_bad(tmp_path):
    with pytest.raises(DataError):
        run([*ROWS, row("none"), *ROWS], tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_size_of_a_chunk_changes_no_pair(tmp_path, monkeypatch, size):
    monkeypatch.setattr("uniapl_cli.pipelines.filter.CHUNK", size)
    run(ROWS, tmp_path / "kept", pairs=tmp_path / "pairs.jsonl")
    assert pairs(tmp_path / "pairs.jsonl") == PAIRS
    assert len(rows(tmp_path / "kept")) == 1  # all rows have the key 1
