"""`uniapl page`: where the page goes, what is printed, and what is refused in one line."""

import json

import pytest
from small_study import write_study
from typer.testing import CliRunner

from uniapl_cli.cli.app import app


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_study(tmp_path / "study")


def page(*words: str):
    return CliRunner().invoke(app, ["page", *words])


def test_it_goes_into_the_folder_and_its_path_is_printed(study):
    result = page("study")
    assert (result.exit_code, result.stdout) == (0, "study/page.html\n")
    assert (study / "page.html").read_text("utf-8").startswith("<!doctype html>")
    first = (study / "page.html").read_bytes()
    assert page("study").exit_code == 0
    assert (study / "page.html").read_bytes() == first


def test_it_goes_where_it_is_told_with_its_title(study, tmp_path):
    result = page("study", "--out", "new/it.html", "--title", "Anchors", "--table", "4")
    assert result.stdout == "new/it.html\n"
    text = (tmp_path / "new" / "it.html").read_text("utf-8")
    assert "<h1>Anchors</h1>" in text and "Table 4" in text
    assert not (study / "page.html").exists()


def test_it_may_be_printed(study):
    result = page("study", "--out", "/dev/stdout")
    assert result.exit_code == 0
    assert "study/page.html" not in result.stdout


def test_json_says_what_is_on_it(study):
    result = json.loads(page("study", "--json").stdout)
    assert result["page"] == "study/page.html"
    assert (result["evaluations"], result["runs"], result["left_out"]) == (3, 3, [])
    assert result["bytes"] == (study / "page.html").stat().st_size


def test_what_is_left_out_is_said(study):
    result = page("study", "--prompts", "5")
    assert result.stderr.count("19 were left out") == 2


@pytest.mark.parametrize(
    "words",
    [
        ["missing"],
        ["empty"],
        ["study", "--table", "1"],
        ["study", "--out", "study/eval/base/eval.json"],
        ["study", "--out", "study/sft/config.yaml"],
        ["study", "--out", "study"],
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(study, tmp_path, words):
    (tmp_path / "empty").mkdir()
    before = {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*")}
    result = page(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*")} == before


def test_the_example_in_the_help_names_the_verb():
    assert "uniapl page" in page("--help").stdout
