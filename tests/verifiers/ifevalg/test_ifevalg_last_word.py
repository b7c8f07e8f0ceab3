import pytest


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
