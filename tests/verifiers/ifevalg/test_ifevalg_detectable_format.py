import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.detectable_format import square_brackets


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("One here.-Two there.", True),
        ("Only one.", True),
        ("no full stop", True),
        ("One here. -Two there.", False),  # a space before the hyphen
        ("One here.- Two there.", False),
        ("One here. Two there.", False),
        ("A well-known one.", False),
        ("One.-Two.-", True),  # what comes after the last sentence is not looked at
        ("One.-Two. Three.", False),
    ],
)
def test_sentence_hyphens(follows, response, expected):
    assert follows("detectable_format:sentence_hyphens", response) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("[one] [two]\n[three]", True),
        ("[one two]", False),
        ("[one], [two]", False),
        ("[]", True),
        ("[", False),
    ],
)
def test_square_brackets(follows, response, expected):
    assert follows("detectable_format:square_brackets", response) is expected


@given(st.lists(st.text("ab,.[]", min_size=1), min_size=1))
def test_words_put_in_brackets_are_in_brackets(words):
    assert square_brackets(" ".join(f"[{word}]" for word in words))
    assert not square_brackets(" ".join([f"[{word}]" for word in words] + ["a"]))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<<I am>> <<at home>>", True),
        ("<<I am>> <<at home>> now", True),  # an odd word is left over
        ("<<I am>> at home", False),
        ("<<I am at home>>", False),
        ("<< I am >>", False),
        ("alone", True),
    ],
)
def test_bigram_wrapping(follows, response, expected):
    assert follows("detectable_format:bigram_wrapping", response) is expected
