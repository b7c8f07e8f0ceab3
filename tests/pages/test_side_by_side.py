"""Answers are paired by prompt and draw, bounded, and what was left out is counted."""

import json

import pytest
from small_study import PROMPTS, response, write_eval, write_lines

from uniapl_cli.errors import DataError
from uniapl_cli.pages.answers import LONGEST, LONGEST_KWARGS
from uniapl_cli.pages.samples import left_out, shown_first, side_by_side
from uniapl_cli.pages.study import read_study


def paired(folder, **bounds):
    return side_by_side(read_study(folder).evaluations, **bounds)


def one_row(tmp_path, **more) -> dict:
    """The one row of a study with one answer."""
    write_eval(tmp_path, "a", 0, prompts=1)
    write_lines(tmp_path / "responses.jsonl", [response("p", 0, 3, **more)])
    (row,) = paired(tmp_path)[0].rows
    return row


def test_answers_to_one_prompt_are_in_one_row(study):
    data, gsm8k = side_by_side(study.evaluations)
    assert [(data.title, data.draw), (gsm8k.title, gsm8k.draw)] == [
        ("heldout.jsonl", "greedy"),
        ("GSM8K", "greedy"),
    ]
    assert len(data.rows) == len(gsm8k.rows) == PROMPTS
    assert all(row["answers"].keys() == {"0", "1", "2"} for row in data.rows + gsm8k.rows)
    assert data.rows[3]["answers"]["1"]["text"] == "Model 1 says 3."


def test_a_prompt_that_has_changed_is_another_row(tmp_path):
    for number, prompt in enumerate(("Old.", "New.")):
        write_eval(tmp_path / str(number), f"m{number}", 0, prompts=1)
        rows = [response("p", 0, 3, prompt=prompt)]
        write_lines(tmp_path / str(number) / "responses.jsonl", rows)
    data = paired(tmp_path)[0]
    assert [row["prompt"] for row in data.rows] == ["Old.", "New."]
    assert [list(row["answers"]) for row in data.rows] == [["0"], ["1"]]


def test_samples_of_a_prompt_are_paired_in_their_order(tmp_path):
    for number in (0, 1):
        write_eval(tmp_path / str(number), f"m{number}", number, prompts=1)
        rows = [response("p", number, 3, response=f"{number}.{n}") for n in (0, 1)]
        write_lines(tmp_path / str(number) / "responses.jsonl", rows)
    data = paired(tmp_path)[0]
    said = [[answer["text"] for answer in row["answers"].values()] for row in data.rows]
    assert said == [["0.0", "1.0"], ["0.1", "1.1"]]
    assert [row.get("sample") for row in data.rows] == [None, 2]


def test_an_answer_has_its_verdicts_figures_and_marks(tmp_path):
    row = one_row(tmp_path)
    assert row["instructions"] == [
        ("punctuation:no_comma", ""),
        ("keywords:existence", 'keywords=["harbour"]'),
    ]
    answer = row["answers"]["0"]
    assert answer["passed"] is True and answer["strict"] == [True, True]
    assert answer["tokens"] == 13
    assert answer["metrics"] == {"score": 0.03}, "what is shown otherwise is left out"
    assert "cut" not in answer and "errors" not in answer


def test_what_a_verifier_could_not_judge_and_what_was_cut_off_is_marked(tmp_path):
    verdict = {"strict": [False, True], "loose": [True, True], "errors": ["no nltk", None]}
    row = one_row(tmp_path, verdict=verdict, finish_reason="length")
    answer = row["answers"]["0"]
    assert answer["cut"] is True and answer["passed"] is False
    assert answer["loose"] == [True, True] and answer["errors"] == ["no nltk", ""]


def test_rows_of_an_earlier_eval_have_neither_kwargs_nor_figures(tmp_path):
    write_eval(tmp_path, "a", 0, prompts=1)
    row = response("p", 0, 3)
    for name in ("kwargs", "metrics", "tokens"):
        del row[name]
    write_lines(tmp_path / "responses.jsonl", [row])
    answer = paired(tmp_path)[0].rows[0]["answers"]["0"]
    assert "tokens" not in answer and "metrics" not in answer


def test_a_prompt_without_instructions_has_no_verdict(tmp_path):
    row = one_row(tmp_path, instruction_id_list=[], kwargs=[], verdict={"strict": [], "loose": []})
    assert row["answers"]["0"]["passed"] is None


def test_a_long_response_is_cut_and_says_by_how_much(tmp_path):
    row = one_row(tmp_path, response="x" * (LONGEST + 7), kwargs=[{}, {"keywords": "y" * 10_000}])
    assert len(row["answers"]["0"]["text"]) == LONGEST
    assert row["answers"]["0"]["left_out"] == 7
    assert len(row["instructions"][1][1]) < LONGEST_KWARGS + 10


def test_answers_by_likelihood_show_their_options(tmp_path):
    write_eval(tmp_path, "a", 0, prompts=1)
    row = {
        "benchmark": "gsm8k",
        "draws": "likelihood",
        "id": "1",
        "subset": "algebra",
        "prompt": "2 + 2 =",
        "options": [" 3", " 4"],
        "logps": [-1.5, None],
        "correct": {"accuracy": True, "accuracy_norm": False},
        "read": "4",
        "gold": " 4",
    }
    write_lines(tmp_path / "samples.jsonl", [row])
    answer = paired(tmp_path)[-1].rows[0]["answers"]["0"]
    assert answer["passed"] is True and answer["read"] == "4"
    assert answer["text"].splitlines()[1:] == ["3: -1.50", "4: not a number (right)"]


def test_answers_of_what_was_not_measured_are_those_of_an_earlier_call(tmp_path):
    write_eval(tmp_path, "a", 0)
    file = tmp_path / "eval.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"draws": {}, "data": None}))
    assert [one.title for one in paired(tmp_path)] == ["GSM8K"]


def test_at_most_so_many_prompts_are_kept_evenly_spread(study):
    sets = side_by_side(study.evaluations, prompts=6)
    assert [row["id"] for row in sets[0].rows] == [f"p-{n}" for n in (0, 4, 8, 12, 16, 20)]
    assert [count for _, count in left_out(sets)] == [PROMPTS - 6, PROMPTS - 6]


@pytest.mark.parametrize("size", [1, 5_000, 20_000])
def test_at_most_so_many_bytes_are_kept(study, size):
    sets = side_by_side(study.evaluations, size=size)
    taken = sum(len(json.dumps(one.rows)) for one in sets)
    assert taken <= size or all(len(one.ids()) == 1 for one in sets)
    assert all(one.rows for one in sets)
    assert sum(count for _, count in left_out(sets)) == sum(PROMPTS - len(s.ids()) for s in sets)


def test_the_first_seed_of_each_model_is_shown_first():
    assert shown_first(["a", "b"]) == ["a", "b"]
    names = [f"{name}-{seed}" for name in ("sft", "grpo") for seed in range(3)]
    assert shown_first(names) == ["sft-0", "grpo-0"]


@pytest.mark.parametrize(
    "changes",
    [
        {"response": 3},
        {"verdict": {}},
        {"verdict": []},
        {"kwargs": [{}]},
        {"instruction_id_list": 4},
        {"metrics": {"score": "high"}},
        {"prompt": None},
    ],
)
def test_a_row_that_no_eval_wrote_is_named(tmp_path, changes):
    with pytest.raises(DataError) as caught:
        one_row(tmp_path, **changes)
    assert caught.value.line == 1
