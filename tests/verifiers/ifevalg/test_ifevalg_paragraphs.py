import pytest


def test_paragraphs_is_number_paragraphs_of_two(follows):
    assert follows("paragraphs:paragraphs", "one\n***\ntwo")
    assert follows("paragraphs:paragraphs", "***\none\n***\ntwo\n***")
    assert not follows("paragraphs:paragraphs", "one\n***\n\n***\ntwo")
    assert not follows("paragraphs:paragraphs", "one\n\ntwo")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("one\n\ntwo", True),
        ("one\nmore\n\ntwo", True),
        ("\n\none\n\ntwo\n\n", True),  # empty ends are not counted
        ("one\n\n\n\ntwo", False),  # an empty middle fails
        ("one\n\n\ntwo", True),
        ("one\n \ntwo", False),
        ("one\n\ntwo\n\nthree", False),
        ("one", False),
    ],
)
def test_paragraphs2(follows, response, expected):
    assert follows("paragraphs:paragraphs2", response) is expected
