import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.words import no_adjacent_consecutive, palindrome, start_end


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Cats sleep. CATS eat!", True),
        ("Cats sleep. They eat.", False),
        ("Cats, too, sleep.", False),  # punctuation is not put aside
        ("Cats met Dr. Who.", True),  # one sentence
        ("Cats?! Cats sleep.", False),  # the "!" is a sentence of its own
        ("cats", True),
    ],
)
def test_first_word_sent(follows, response, expected):
    id = "first_word:first_word_sent"
    assert follows(id, response, first_word=" cats") is expected
    assert follows(id, response, first_word=["cats", "dogs"]) is expected  # the first of a list


@pytest.mark.parametrize(
    ("response", "expected"),
    [("\n CATS sleep.", True), ("Cats, too.", False), ("Two cats", False), ("cats", True)],
)
def test_first_word_answer(follows, response, expected):
    assert follows("first_word:first_word_answer", response, first_word="cats ") is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("I like cats. Few hate CATS!", True),
        ("I like cats. Few hate dogs.", False),
        ('I like "cats". Few hate (cats)', True),  # punctuation aside
        ("I like U.S. cats.", True),
        ("I like cats. !", False),  # a sentence without a word
    ],
)
def test_last_word_sent(follows, response, expected):
    id = "last_word:last_word_sent"
    assert follows(id, response, last_word="cats ") is expected
    assert follows(id, response, last_word=["cats"]) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [("I like CATS!?\n", True), ("I like c-ats", True), ("I like cats .", False), ("cat", False)],
)
def test_last_word_answer(follows, response, expected):
    assert follows("last_word:last_word_answer", response, last_word="cats") is expected


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
