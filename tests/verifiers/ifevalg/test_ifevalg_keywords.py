import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.keywords import (
    no_adjacent_consecutive,
    palindrome,
    start_end,
)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("A cat.", True),
        ("CAT", True),
        ("Concatenate.", True),  # a substring is enough
        ("A dog.", False),
        ("A cat and cats.", False),
    ],
)
def test_word_once(follows, response, expected):
    assert follows("keywords:word_once", response, keyword="cat ") is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("A cat sleeps", False),
        ("A cat.", True),  # no space behind
        ("cat", True),
        ("A Cat sleeps", True),  # case-sensitive
        ("A\ncat sleeps", True),
    ],
)
def test_exclude_word_harder(follows, response, expected):
    assert follows("keywords:exclude_word_harder", response, keyword=" cat") is expected


def test_exclude_word_harder_takes_its_instruction_and_leaves_it_aside(follows):
    kwargs = {"keyword": "cat", "instruction": "A dog sleeps"}
    assert follows("keywords:exclude_word_harder", "A dog sleeps", **kwargs)


@pytest.mark.parametrize(
    ("n", "m", "response", "expected"),
    [
        (1, 2, "The cat sleeps.", True),
        (1, 2, "The Cat sleeps.", False),  # case-sensitive
        (1, 2, "The cats sleep.", False),  # the whole word
        (2, 3, "So what? Oh, cat.", True),  # the comma is the second word
        (2, 1, "cat", False),  # no second sentence
        (1, 4, "The cat.", False),  # no fourth word
    ],
)
def test_keyword_specific_position(follows, n, m, response, expected):
    id = "keywords:keyword_specific_position"
    assert follows(id, response, keyword=" cat ", n=n, m=m) is expected
    assert follows(id, response, keyword=["cat"], n=n, m=m) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Cats like cats", True),
        ("Cats like cats.", False),  # the full stop is the last word
        (". cats .", True),
        ("cats", False),
        ("Cats like dogs", False),
    ],
)
def test_start_end(follows, response, expected):
    assert follows("keywords:start_end", response) is expected


@settings(deadline=None)  # the first judgement loads nltk
@given(st.from_regex(r"[a-z]{2,9}", fullmatch=True), st.from_regex(r"[a-z ]*", fullmatch=True))
def test_a_word_put_at_both_ends_is_found_there(word, middle):
    assert start_end(f"qed {middle} qed")
    assert not start_end(f"{word} {middle} {word}x")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("My kayak sank.", True),
        ("My kayak.", False),  # punctuation belongs to the word
        ("My Kayak sank.", False),  # case-sensitive
        ("I sank.", True),  # one character is its own reverse
        ("Was it a rat", True),
        ("Nurses run", False),
    ],
)
def test_palindrome(follows, response, expected):
    assert follows("keywords:palindrome", response) is expected


@given(st.text())
def test_turning_a_text_around_leaves_its_palindromes(response):
    assert palindrome(response[::-1]) is palindrome(response)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Ants crawl", True),
        ("Ants bite", False),
        ("ants Bite", False),
        ("Bees ache", True),  # downwards is no matter
        ("Ants are", True),
        ("1 2", False),  # digits follow each other too
        ("a, (b)", True),
        ("alone", True),
        ("İ x", False),  # two characters in lower case
        ("İ", True),
    ],
)
def test_no_adjacent_consecutive(follows, response, expected):
    assert follows("keywords:no_adjacent_consecutive", response) is expected


@given(st.lists(st.sampled_from("acegikmoqsuwy")))
def test_every_second_letter_of_the_alphabet_has_no_neighbours(letters):
    assert no_adjacent_consecutive(" ".join(letters))
