"""Tables of analyses: a row a model, no figure where there is none, and in words why."""

import json

from uniapl_cli.analysis.lengths import Lengths, compare_lengths
from uniapl_cli.analysis.logprobs import compare_logprobs
from uniapl_cli.analysis.report import grid, title, words
from uniapl_cli.analysis.results import summary, write_analysis
from uniapl_cli.analysis.scores import Scored, compare_scores


def about(kind, **more):
    return {"kind": kind, "prompts": 2, "samples": 1, "responses": "rows", **more}


def lengths(cut):
    teacher = Lengths([[4], [6]], [[False], [False]])
    model = Lengths([[5, 9], [7, 9]], [[False, cut], [False, cut]])
    return about("lengths", **compare_lengths(teacher, {"sft": model}))


def test_many_responses_that_are_cut_off_are_pointed_out():
    columns, rows = grid(lengths(cut=True))
    assert [row[0] for row in rows] == ["sft", "(the teacher's)"]
    assert {len(row) for row in rows} == {len(columns)}
    assert rows[0][1:3] == ["7.5", "50.0%"]
    (line,) = words(lengths(cut=True))
    assert "sft" in line and "analyse.sampling.max_new_tokens" in line
    assert words(lengths(cut=False)) == []


def test_one_prompt_has_no_interval_of_log_probabilities():
    result = about("logprobs", models={"sft": compare_logprobs([-3.0], [-1.0], [2], [0])})
    (row,) = grid(result)[1]
    assert row == ["sft", "-2.00", "-", "-1.0000", "-"]
    assert words(result) == [] and "2 rows" in title(result)


def test_why_there_is_no_agreement_is_said():
    models = {
        "all pass": Scored([1.0, 2.0], [True, True], [0, 1]),
        "one each": Scored([1.0, 2.0], [True, False], [0, 1]),
        "both": Scored([1.0, 2.0], [True, False], [0, 0]),
    }
    result = about("agreement", **compare_scores(models))
    _, rows = grid(result)
    assert [row[0] for row in rows[::2]] == [*models, "(all)"]
    assert rows[0][-2:] == ["-", "-"]
    said = words(result)
    assert [line.partition(":")[0] for line in said] == ["all pass", "one each"]
    assert "analyse.samples" in said[1]


def test_the_summary_leaves_out_one_number_a_response_and_nothing_else(tmp_path):
    result = {**lengths(cut=True), "ids": ["a", "b"]}
    short = summary(result)
    assert "ids" not in short and "lengths" not in short["models"]["sft"]
    assert short["models"]["sft"]["ks"] == result["models"]["sft"]["ks"]
    file = write_analysis(tmp_path / "new", result)
    assert json.loads(file.read_text()) == {"version": 1, **result}


def test_a_model_may_be_called_like_a_list():
    models = {"lengths": Lengths([[1]], [[False]]), "tokens": Lengths([[2]], [[False]])}
    result = compare_lengths(Lengths([[1]], [[False]]), models)
    assert summary(result)["models"].keys() == models.keys()
