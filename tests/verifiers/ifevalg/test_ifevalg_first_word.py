import pytest


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
