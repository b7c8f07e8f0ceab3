import pytest

ENGLISH = "This is a plain English sentence about the weather and the sea."
GERMAN = "Dies ist ein einfacher deutscher Satz über das Wetter und das Meer."


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("NASA and the USA", 2),
        ("I am A", 2),  # single letters count
        ("Nasa", 0),
        ("WELL-KNOWN", 1),
        ("DON'T", 2),  # nltk's tokens: DO, N'T
        ("A1 42", 1),
    ],
)
def test_capital_word_frequency(follows, response, count):
    id = "change_case:capital_word_frequency"
    assert follows(id, response, capital_frequency=count, capital_relation="at least")
    assert not follows(id, response, capital_frequency=count, capital_relation="less than")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (ENGLISH.upper(), True),
        (ENGLISH, False),
        (GERMAN.upper(), False),
        ("1 2 3", False),  # no letter, so no capital one
    ],
)
def test_english_capital(follows, response, expected):
    assert follows("change_case:english_capital", response) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [(ENGLISH.lower(), True), (ENGLISH, False), (GERMAN.lower(), False), ("...", False)],
)
def test_english_lowercase(follows, response, expected):
    assert follows("change_case:english_lowercase", response) is expected
