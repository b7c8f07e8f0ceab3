import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.count import (
    counting_composition,
    lowercase_counting,
)


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("One two THREE four", 2),
        ("two two two", 3),  # all are counted together, not each word by itself
        ("don't", 2),
        ("two2 t_w_o", 0),
        ("élan vital", 1),  # "lan" stands next to a letter, so it is no word
    ],
)
def test_lowercase_counting_is_an_upper_bound(follows, response, count):
    id = "count:lowercase_counting"
    assert follows(id, response, N=max(count, 1))
    assert count < 2 or not follows(id, response, N=count - 1)


@given(st.text(), st.text(), st.integers(1, 5))
def test_more_text_never_brings_lowercase_words_back_under_the_bound(response, more, n):
    if not lowercase_counting(response, N=n):
        assert not lowercase_counting(f"{response} {more}", N=n)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Each word once.", True),
        ("The cat saw the dog.", True),  # case-sensitive
        ("the cat saw the dog.", False),
        ("One came. Two went.", False),  # two full stops
        ("one, two, three", False),
    ],
)
def test_count_unique(follows, response, expected):
    assert follows("count:count_unique", response) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("A cat and a dog and a DOG", True),
        ("Concatenate dogs, hotdogs", True),  # substrings count
        ("cat dog", False),
        ("cat cat dog dog", False),
        ("cat dog dog dog", False),
        ("dog dog", False),
    ],
)
def test_count_increment_word(follows, response, expected):
    kwargs = {"keyword1": "cat ", "keyword2": "dog"}
    assert follows("count:count_increment_word", response, **kwargs) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("It is. So be.\n***\nIt was. So did.\n***\nIt may. So can.", True),
        ("It is. So be.***It was. So did.***It may. So can.", True),
        ("It is. So be. * * * It was. So did. * * * It may. So can.", False),
        ("It is. So be.\n***\nIt was. So did.", False),
        ("It is. So be.\n***\nIt was.\n***\nIt may. So can.", False),
        ("It is. So be.\n***\nIt was not. So did.\n***\nIt may. So can.", False),
        ("It is. So be.\n***\nIt was. So did.\n***\nIt may. So can.\n***", False),
        ("***\nIt is. So be.\n***\nIt was. So did.", False),
    ],
)
def test_counting_composition(follows, response, expected):
    # three words each: the full stop is one
    assert follows("count:counting_composition", response, n_sent=2, n_words=3) is expected


@settings(deadline=None)  # the first call loads nltk
@given(st.integers(1, 3), st.integers(1, 4))
def test_three_paragraphs_as_asked_for_pass(n_sent, n_words):
    sentence = " ".join(["word"] * (n_words - 1)) + "."
    response = "\n***\n".join([" ".join([sentence] * n_sent)] * 3)
    assert counting_composition(response, n_sent=n_sent, n_words=n_words)
    assert not counting_composition(response, n_sent=n_sent, n_words=n_words + 1)
    assert not counting_composition(response, n_sent=n_sent + 1, n_words=n_words)
