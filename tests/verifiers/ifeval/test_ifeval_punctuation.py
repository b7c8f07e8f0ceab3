import pytest


@pytest.mark.parametrize(("response", "expected"), [("a b", True), ("a, b", False), ("a，b", True)])
def test_no_comma(follows, response, expected):
    assert follows("punctuation:no_comma", response) is expected
