"""An error says what is wrong in fields, for programs, and in one line, for people."""

import pytest

from uniapl_cli.errors import SHOWN, ConfigError, DataError, UniAPLError, nearest, unknown


@pytest.mark.parametrize(
    ("where", "file", "line"),
    [
        ("rows.jsonl:7", "rows.jsonl", 7),
        ("a.yaml:7:3", "a.yaml", 7),
        ("C:\\data\\rows.jsonl:7", "C:\\data\\rows.jsonl", 7),
        ("table.parquet:[0]", "table.parquet", 0),
        ("override 'a=1'", None, None),
        (None, None, None),
    ],
)
def test_a_place_is_a_file_and_a_line(where, file, line):
    error = DataError("it is wrong", where=where)
    assert (error.file, error.line) == (file, line)


def test_the_text_is_one_line_with_the_place_before_and_the_advice_behind():
    error = UniAPLError("no\nsuch x", "Known: y", where="a.yaml:1", suggestion="y")
    assert str(error) == "a.yaml:1: no such x. Did you mean 'y'? Known: y"
    assert str(UniAPLError("no such x")) == "no such x"


def test_what_the_raiser_did_not_know_is_filled_in():
    error = ConfigError("0 is too small").at("a.yaml:3", "training.steps")
    assert (error.where, error.key) == ("a.yaml:3", "training.steps")
    assert str(error).startswith("a.yaml:3: training.steps: ")


def test_what_the_raiser_knew_is_kept():
    error = ConfigError("'steps' is too small", where="b.yaml:9", key="steps")
    assert error.at("a.yaml:3", "training.steps") is error
    assert (error.where, error.key) == ("b.yaml:9", "steps")


def test_a_key_that_the_text_begins_with_is_not_said_twice():
    for problem in ("steps is too small", "'steps' is too small"):
        assert ConfigError(problem).at(key="steps").problem == problem


def test_an_unknown_name_is_an_error_of_the_kind_that_is_asked_for():
    error = unknown("tool", "hamer", ["saw", "hammer"], ConfigError)
    assert isinstance(error, ConfigError)
    assert (error.got, error.allowed, error.suggestion) == ("hamer", ("hammer", "saw"), "hammer")
    assert "saw" in error.advice


def test_many_names_are_not_all_listed_beside_the_one_that_is_meant():
    names = [f"tool{n:02}" for n in range(SHOWN + 1)]
    assert names[3] not in unknown("tool", "tool0", names).advice
    assert names[3] in unknown("tool", "?", names).advice
    assert len(unknown("tool", "tool0", names).allowed) == SHOWN + 1


def test_nothing_alike_is_not_suggested():
    assert nearest("hamer", ["saw", "hammer"]) == "hammer"
    assert nearest("xyz", ["saw", "hammer"]) is None
    assert unknown("tool", "xyz", []).suggestion is None
