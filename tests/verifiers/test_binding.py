import re

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers import constraint, constraints, trainable, verifiers

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


def wrong(kwarg, value, **others):
    """The kwargs, the name of the one at fault, and its value."""
    return {kwarg: value, **others}, kwarg, value


NUMBER = {"relation": "at least"}
FREQUENCY = {"frequency": 1, "relation": "at least"}
LETTER = {"let_frequency": 1, "let_relation": "at least"}


@pytest.mark.parametrize(
    ("id", "mistake"),
    [
        (WORDS, wrong("num_words", "3", **NUMBER)),
        (WORDS, wrong("num_words", 3.5, **NUMBER)),
        (WORDS, wrong("num_words", True, **NUMBER)),
        (WORDS, wrong("num_words", -1, **NUMBER)),
        (WORDS, wrong("n", 1, num_words=3, **NUMBER)),
        (WORDS, wrong("kind", WORDS, num_words=3, **NUMBER)),
        ("keywords:existence", wrong("keywords", "cat")),
        ("keywords:existence", wrong("keywords", [])),
        ("keywords:existence", wrong("keywords", ["cat", " "])),
        ("keywords:existence", wrong("keywords", ["cat", "c++("])),
        ("keywords:frequency", wrong("keyword", "", **FREQUENCY)),
        ("keywords:frequency", wrong("keyword", "[", **FREQUENCY)),
        ("keywords:forbidden_words", wrong("forbidden_words", ["*"])),
        ("keywords:letter_frequency", wrong("letter", "ab", **LETTER)),
        ("detectable_content:postscript", wrong("postscript_marker", "(P.S.")),
        ("detectable_format:multiple_sections", wrong("section_spliter", "[", num_sections=2)),
        ("combination:repeat_prompt", wrong("prompt_to_repeat", "\n")),
        (NTH, wrong("nth_paragraph", 0, num_paragraphs=2, first_word="a")),
    ],
)
def test_a_wrong_kwarg_is_named_with_its_value_file_and_line(id, mistake):
    kwargs, name, value = mistake
    with pytest.raises(DataError) as caught:
        constraint(id, kwargs, where="rows.jsonl:7")
    error = caught.value
    assert (error.file, error.line, error.key, error.got) == ("rows.jsonl", 7, name, value)
    assert "\n" not in str(error) and id in error.problem


@pytest.mark.parametrize("kwargs", [{"num_words": 3}, {"num_words": 3, "relation": None}])
def test_a_missing_kwarg_is_named(kwargs):
    with pytest.raises(DataError) as caught:
        constraint(WORDS, kwargs, where="rows.jsonl:7")
    assert (caught.value.line, caught.value.key) == (7, "relation")


MEANT = {
    "an instruction": ("keywords:existance", {}, "keywords:existence"),
    "a kwarg": (WORDS, {"num_word": 3, "relation": "at least"}, "num_words"),
    "a relation": (WORDS, {"num_words": 3, "relation": "at most"}, "at least"),
    "a language": ("language:response_language", {"language": "zh-ch"}, "zh-cn"),
}


@pytest.mark.parametrize(("id", "kwargs", "meant"), MEANT.values(), ids=MEANT)
def test_what_was_probably_meant_is_said(id, kwargs, meant):
    with pytest.raises(DataError) as caught:
        constraint(id, kwargs, where="rows.jsonl:7")
    assert caught.value.line == 7
    assert caught.value.suggestion == meant and meant in caught.value.allowed


def test_kwargs_that_do_not_go_together_are_refused():
    with pytest.raises(DataError) as caught:
        constraint(NTH, {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}, "rows:7")
    assert caught.value.where == "rows:7" and "3" in caught.value.problem


def test_a_keyword_that_is_no_regular_expression_is_written_as_one():
    with pytest.raises(DataError) as caught:
        constraint("keywords:existence", {"keywords": ["c++("]})
    assert re.escape("c++(") in caught.value.advice


def test_kwargs_that_are_no_mapping_are_refused():
    with pytest.raises(DataError) as caught:
        constraint(WORDS, "{}", where="rows.jsonl:7")
    assert (caught.value.line, caught.value.got) == (7, "{}")


def test_a_rows_lists_become_its_constraints():
    built = constraints(["punctuation:no_comma", "startend:quotation"], [None, {}])
    assert [c.id for c in built] == ["punctuation:no_comma", "startend:quotation"]
    assert constraints([], []) == ()


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(DataError) as caught:
        constraints(["punctuation:no_comma", "startend:quotation"], [{}], "rows.jsonl:7")
    assert caught.value.line == 7


@pytest.mark.parametrize(
    ("ids", "kwargs"), [("punctuation:no_comma", [{}]), (["a"], "[{}]"), (["a"], {})]
)
def test_what_is_no_list_is_refused(ids, kwargs):
    with pytest.raises(DataError) as caught:
        constraints(ids, kwargs, "rows.jsonl:7")
    assert (caught.value.line, caught.value.got) == (7, (ids, kwargs))


def test_what_is_for_evaluation_only_is_refused_where_rows_are_trained_on():
    ids, kwargs = ["punctuation:no_comma", "words:vowel"], [{}, {}]
    assert [one.id for one in constraints(ids, kwargs)] == ids
    with pytest.raises(DataError) as caught:
        trainable(ids, kwargs, "rows.jsonl:2")
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:2", "words:vowel")
    assert "\n" not in str(caught.value)
    assert [one.id for one in trainable(ids[:1], kwargs[:1])] == ids[:1]


def test_no_instruction_that_is_trained_on_is_for_evaluation_only():
    marked = {id for id in verifiers if verifiers[id].traits.get("evaluation")}
    assert {id.partition(":")[0] for id in marked} == {
        "count", "custom", "format", "ratio", "repeat", "sentence", "words",
    }  # fmt: skip
    assert not {"count:count_unique", "copy:copy", "keywords:existence"} & marked
