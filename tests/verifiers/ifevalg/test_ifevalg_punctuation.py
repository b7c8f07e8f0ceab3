import pytest


@pytest.mark.parametrize(
    ("response", "expected"), [("a; b!", True), ("a.", False), ("4.5", False), ("a。", True)]
)
def test_punctuation_dot(follows, response, expected):
    assert follows("punctuation:punctuation_dot", response) is expected


@pytest.mark.parametrize(
    ("response", "expected"), [("a.", True), ("a!", False), ("a != b", False), ("a！", True)]
)
def test_punctuation_exclamation(follows, response, expected):
    assert follows("punctuation:punctuation_exclamation", response) is expected
