"""Kwargs in whose place IFEvalG's official code draws at random, or fails, are refused."""

import random

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.verifiers import constraint, verifiers

GOOD: dict[str, dict[str, object]] = {
    "copy:copy": {"prompt_to_repeat": "a b"},
    "copy:copying_multiple": {"prompt_to_repeat": "a b", "N": 2},
    "copy:copying_simple": {"prompt_to_repeat": "a b"},
    "copy:repeat_phrase": {"phrase": "a b c", "small_n": 2},
    "count:count_increment_word": {"keyword1": "cat", "keyword2": "dog"},
    "count:counting_composition": {"n_sent": 2, "n_words": 3},
    "count:lowercase_counting": {"N": 2},
    "first_word:first_word_answer": {"first_word": "cat"},
    "first_word:first_word_sent": {"first_word": "cat"},
    "keywords:exclude_word_harder": {"keyword": "cat"},
    "keywords:keyword_specific_position": {"keyword": "cat", "n": 1, "m": 2},
    "keywords:word_count_different_numbers": {
        "keyword": "cat",
        "frequency": 2,
        "relation": "at least",
    },
    "keywords:word_once": {"keyword": "cat"},
    "last_word:last_word_answer": {"last_word": "cat"},
    "last_word:last_word_sent": {"last_word": "cat"},
    "letters:letter_counting": {"N": 3, "relation": "less than"},
    "letters:letter_counting2": {"letter": "a", "let_frequency": 2, "let_relation": "at least"},
    "new:copy_span_idx": {"prompt_to_repeat": "a b", "n_start": 1, "n_end": 2},
}
# Zero is a number like any other here, officially too; copy_span_idx draws, and is told apart.
ZERO_MEANS_ZERO = {"frequency", "let_frequency", "n_start"}
EACH = [(id, name) for id, kwargs in GOOD.items() for name in kwargs]


def refused(id: str, kwargs: dict[str, object]) -> DataError:
    state = random.getstate()
    with pytest.raises(DataError) as caught:
        constraint(id, kwargs, where="rows.jsonl:7")
    assert random.getstate() == state
    assert caught.value.where == "rows.jsonl:7"
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_kwargs_listed_here_are_all_there_are():
    for id, kwargs in GOOD.items():
        assert constraint(id, kwargs).kwargs == kwargs
        assert set(verifiers[id].takes()) - {"instruction"} == set(kwargs)


def test_a_missing_or_null_kwarg_is_refused():
    for id, name in EACH:
        rest = {key: value for key, value in GOOD[id].items() if key != name}
        assert refused(id, rest).key == name
        assert refused(id, {**rest, name: None}).key == name


def test_a_falsy_kwarg_is_refused():
    for id, name in EACH:
        value = GOOD[id][name]
        falsy: object = "" if isinstance(value, str) else 0
        if name in ZERO_MEANS_ZERO:
            assert constraint(id, {**GOOD[id], name: falsy}).kwargs[name] == 0
        else:
            assert refused(id, {**GOOD[id], name: falsy}).got == falsy


def test_a_kwarg_of_another_type_is_refused():
    for id, name in EACH:
        for wrong in (True, {"a": 1}, 1.5, [1], -1):
            error = refused(id, {**GOOD[id], name: wrong})
            assert (error.key, error.got) == (name, wrong)


def test_an_unknown_kwarg_is_refused_unless_it_is_null():
    for id in verifiers:
        error = refused(id, {**GOOD.get(id, {}), "unused": 1})
        assert (error.key, error.allowed) == ("unused", tuple(sorted(verifiers[id].takes())))
    for id, kwargs in GOOD.items():
        assert constraint(id, {**kwargs, "unused": None}).kwargs == kwargs


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("first_word:first_word_sent", "first_word"),
        ("last_word:last_word_sent", "last_word"),
        ("keywords:keyword_specific_position", "keyword"),
    ],
)
def test_a_list_is_taken_where_the_official_code_takes_its_first(id, name):
    assert constraint(id, {**GOOD[id], name: ["cat", "dog"]}).kwargs[name] == ["cat", "dog"]
    for wrong in ([], [" "], [1]):
        assert refused(id, {**GOOD[id], name: wrong}).key == name


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("first_word:first_word_answer", "first_word"),
        ("last_word:last_word_answer", "last_word"),
        ("keywords:word_once", "keyword"),
        ("keywords:exclude_word_harder", "keyword"),
    ],
)
def test_a_list_is_refused_where_the_official_code_fails_on_it(id, name):
    assert refused(id, {name: ["cat"]}).got == ["cat"]


@pytest.mark.parametrize(
    ("id", "kwargs", "name"),
    [
        ("copy:repeat_phrase", {"phrase": "c( b a", "small_n": 1}, "phrase"),
        ("copy:repeat_phrase", {"phrase": "(c) b a", "small_n": 1}, "phrase"),
        ("copy:repeat_phrase", {"phrase": "a b c", "small_n": 0}, "small_n"),
        ("keywords:word_once", {"keyword": "c++("}, "keyword"),
        ("count:count_increment_word", {"keyword1": "a", "keyword2": "["}, "keyword2"),
        ("letters:letter_counting", {"N": 2, "relation": "at most"}, "relation"),
        ("new:copy_span_idx", {"prompt_to_repeat": "a b", "n_start": 2, "n_end": 2}, None),
        ("new:copy_span_idx", {"prompt_to_repeat": "a b", "n_start": -1, "n_end": 2}, "n_start"),
        # Without a keyword the official code draws one from the instruction.
        ("keywords:exclude_word_harder", {"instruction": "Tell me why"}, "keyword"),
    ],
)
def test_kwargs_that_mean_nothing_are_refused(id, kwargs, name):
    assert refused(id, kwargs).key == name
