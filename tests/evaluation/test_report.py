"""Evaluations side by side."""

import json
from io import StringIO

import pytest
from rich.console import Console

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.compare import read
from uniapl_cli.evaluation.report import compare, one_model, read_evaluations, scores, stacked
from uniapl_cli.evaluation.results import VERSION, write_evaluation
from uniapl_cli.runs.console import table


def evaluation(name: str, **draws) -> dict:
    return {"name": name, "model": f"models/{name}", "data": "heldout", "draws": draws}


def figure(mean, se=None, n=4) -> dict:
    return {"mean": mean, "se": se, "n": n}


BASE = evaluation("base", greedy={"prompt_strict": figure(0.25, 0.125), "length": figure(12.0, 1)})
BEST = evaluation(
    "best",
    greedy={"prompt_strict": figure(0.5), "score": figure(-1.256, 0.1)},
    sampled={"prompt_strict": figure(None)},
)


def test_shares_are_in_percent_with_their_errors():
    columns, rows = compare([BASE, BEST], ["greedy/prompt_strict", "greedy/score"])
    assert columns == ["model", "greedy prompt strict", "greedy score"]
    assert rows == [["base", "25.0 ± 12.5", "-"], ["best", "50.0", "-1.26 ± 0.10"]]


def test_what_was_not_measured_or_has_no_mean_is_a_dash():
    _, rows = compare([BASE, BEST], ["sampled/prompt_strict"])
    assert rows == [["base", "-"], ["best", "-"]]


def test_the_columns_are_the_important_ones_unless_told_otherwise():
    columns, _ = compare([BASE, BEST], [])
    assert columns == ["model", "greedy prompt strict", "greedy score", "sampled prompt strict"]


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(DataError) as caught:
        compare([BASE], ["greedy/prompt"])
    assert caught.value.suggestion == "greedy/prompt_strict"


def test_one_model_has_a_row_a_metric_and_a_column_a_draw():
    columns, rows = one_model(BEST)
    assert columns == ["", "greedy", "sampled"]
    assert rows == [["prompt strict", "50.0", "-"], ["score", "-1.26 ± 0.10", "-"]]


def test_evaluations_are_read_in_the_order_given(tmp_path):
    for result in (BASE, BEST):
        write_evaluation(tmp_path / result["name"], {**result, "environment": {}})
    files = [tmp_path / name / "eval.json" for name in ("best", "base")]
    assert read_evaluations(files) == [BEST, BASE]


@pytest.mark.parametrize("version", [{}, {"version": 1}, {"version": VERSION + 1}])
def test_an_evaluation_of_another_version_is_refused(tmp_path, version):
    file = tmp_path / "eval.json"
    file.write_text(json.dumps({**version, **BASE}))
    with pytest.raises(DataError) as caught:
        read_evaluations([file])
    assert (caught.value.got, caught.value.allowed) == (version.get("version", 1), (str(VERSION),))


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"name": "a"}', "\xff"])
def test_any_other_file_is_refused(tmp_path, content):
    file = tmp_path / "eval.json"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        read_evaluations([file])
    assert caught.value.got == str(file)


def test_an_evaluation_is_named_by_its_folder_too(tmp_path):
    write_evaluation(tmp_path, {**BASE, "environment": {}})
    assert read_evaluations([tmp_path]) == [BASE]


MEASURED = {
    "title": "Letters by their likelihood",
    "rule": "mmlu_cloze/text-likelihood-0shot/1 shots=5",
    "main": "accuracy",
    "rows": 855,
    "of": 14042,
    "refused": {},
}
FOUND = {"metrics": {"accuracy": {**figure(0.333, 0.102), "interval": [0.1, 0.654]}}}
SCORED = {"benchmarks": {"a": {**MEASURED, "draws": {"likelihood": {**FOUND}}}}}
SCORED["benchmarks"]["a"]["draws"]["likelihood"] |= {"unread": 1.0, "cut": 1.0, "errors": 0}


def test_a_narrow_table_loses_nothing():
    console = Console(width=80, color_system=None, record=True, file=StringIO())
    console.print(table("", *stacked(*scores(SCORED)), figures=False, folds=True))
    text = console.export_text()
    first = "".join(line.split("│")[1].strip(" ") for line in text.splitlines() if "│" in line)
    assert "…" not in text and MEASURED["rule"].replace(" ", "") in first.replace(" ", "")
    for cell in ("33.3 ± 10.2", "10.0 to 65.4", "855 of 14042", "100.0%"):
        assert cell in text


@pytest.mark.parametrize("spoilt", [[], {"a": {}}, {"a": {**MEASURED, "draws": {"x": {}}}}])
def test_what_is_not_whole_is_refused(tmp_path, spoilt):
    write_evaluation(tmp_path, {**BASE, "benchmarks": spoilt, "environment": {}})
    for reads in (lambda: read_evaluations([tmp_path]), lambda: read(tmp_path)):
        with pytest.raises(DataError):
            reads()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"model": ["m"]},
        {"data": {"a": 1}},
        {"draws": {"greedy": 3}},
        {"draws": {"greedy": {"length": 3}}},
        {"draws": {"greedy": {"length": {"mean": {"a": 1}, "se": 0.1, "n": 9}}}},
        {"draws": {"greedy": {"length": {"mean": 10**400, "se": 0.1, "n": 9}}}},
        {"draws": {"greedy": {"length": {"mean": 3, "se": float("nan"), "n": 9}}}},
        {"draws": {"greedy": {"length": {"mean": 3, "se": "high", "n": 9}}}},
        {"draws": {"greedy": {"length": {"mean": 3, "se": 0.1, "n": "<b>"}}}},
        {"draws": {"greedy": {"length": {"mean": 3, "se": 0.1, "interval": [1]}}}},
        {"benchmarks": {"a": {**SCORED["benchmarks"]["a"], "title": None}}},
        {"benchmarks": {"a": {**SCORED["benchmarks"]["a"], "refused": {"long": "many"}}}},
    ],
)
def test_what_no_table_could_show_is_refused(tmp_path, spoilt):
    write_evaluation(tmp_path, {**BASE, **spoilt})
    with pytest.raises(DataError) as caught:
        read_evaluations([tmp_path])
    assert caught.value.got == str(tmp_path / "eval.json")
