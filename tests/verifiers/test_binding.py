import re

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers import constraint, constraints

WORDS = "length_constraints:number_words"
NTH = "length_constraints:nth_paragraph_first_word"


def test_a_constraint_keeps_what_is_given_and_drops_what_is_null():
    kwargs = {"num_words": 0, "relation": "at least", "keywords": None, "letter": None}
    assert constraint(WORDS, kwargs) == Constraint(WORDS, {"num_words": 0, "relation": "at least"})


def test_no_kwargs_may_be_written_as_null_or_empty():
    assert constraint("punctuation:no_comma", None) == constraint("punctuation:no_comma", {})


def test_an_integral_float_becomes_an_int():
    built = constraint(WORDS, {"num_words": 3.0, "relation": "at least"})
    assert built.kwargs["num_words"] == 3
    assert type(built.kwargs["num_words"]) is int


def test_the_rows_own_kwargs_are_left_as_they_are():
    kwargs = {"num_words": 3.0, "relation": "at least", "letter": None}
    constraint(WORDS, kwargs)
    assert kwargs == {"num_words": 3.0, "relation": "at least", "letter": None}


@pytest.mark.parametrize(
    ("id", "kwargs", "message"),
    [
        ("keywords:existance", {}, "Did you mean 'keywords:existence'?"),
        (WORDS, {"num_words": 3}, "'relation' is missing"),
        (WORDS, {"num_words": None, "relation": "at least"}, "'num_words' is missing"),
        (WORDS, {"num_words": 3, "relation": "at least", "n": 1}, "unknown parameter 'n'"),
        (WORDS, {"num_words": "3", "relation": "at least"}, "'3' is not of type int"),
        (WORDS, {"num_words": 3.5, "relation": "at least"}, "3.5 is not of type int"),
        (WORDS, {"num_words": True, "relation": "at least"}, "True is not of type int"),
        (WORDS, {"num_words": 3, "relation": "at most"}, "'less than' or 'at least'"),
        (WORDS, {"num_words": -1, "relation": "at least"}, "num_words = -1 is negative"),
        (WORDS, "{}", "not a mapping"),
        ("keywords:existence", {"keywords": "cat"}, "not of type list[str]"),
        ("keywords:existence", {"keywords": []}, "is blank"),
        ("keywords:existence", {"keywords": ["cat", " "]}, "is blank"),
        ("keywords:existence", {"keywords": ["cat", "c++("]}, "'c++(' is not a regular expression"),
        (
            "keywords:frequency",
            {"keyword": "", "frequency": 1, "relation": "at least"},
            "keyword = '' is blank",
        ),
        (
            "keywords:frequency",
            {"keyword": "[", "frequency": 1, "relation": "at least"},
            r"Literally it is written \[",
        ),
        ("keywords:forbidden_words", {"forbidden_words": ["*"]}, "is not a regular expression"),
        (
            "keywords:letter_frequency",
            {"letter": "ab", "let_frequency": 1, "let_relation": "at least"},
            "letter = 'ab' is not one character",
        ),
        ("detectable_content:postscript", {"postscript_marker": "(P.S."}, "regular expression"),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "[", "num_sections": 2},
            "regular expression",
        ),
        ("combination:repeat_prompt", {"prompt_to_repeat": "\n"}, "is blank"),
        ("language:response_language", {"language": "english"}, "unknown language 'english'"),
        (
            NTH,
            {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"},
            "nth_paragraph = 3 is not one of 1 to 2",
        ),
        (
            NTH,
            {"num_paragraphs": 2, "nth_paragraph": 0, "first_word": "a"},
            "nth_paragraph = 0 is not one of 1 to 2",
        ),
    ],
)
def test_wrong_kwargs_are_refused_with_file_line_and_reason(id, kwargs, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        constraint(id, kwargs, where="rows.jsonl:7")
    assert str(caught.value).startswith("rows.jsonl:7: ")
    assert "\n" not in str(caught.value)


def test_a_rows_lists_become_its_constraints():
    built = constraints(["punctuation:no_comma", "startend:quotation"], [None, {}])
    assert [c.id for c in built] == ["punctuation:no_comma", "startend:quotation"]
    assert constraints([], []) == ()


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="^rows.jsonl:7: 2 instruction ids but 1 kwargs"):
        constraints(["punctuation:no_comma", "startend:quotation"], [{}], "rows.jsonl:7")


@pytest.mark.parametrize(
    ("ids", "kwargs"), [("punctuation:no_comma", [{}]), (["a"], "[{}]"), (["a"], {})]
)
def test_what_is_no_list_is_refused(ids, kwargs):
    with pytest.raises(DataError, match=r"^rows\.jsonl:7: .* two lists"):
        constraints(ids, kwargs, "rows.jsonl:7")
