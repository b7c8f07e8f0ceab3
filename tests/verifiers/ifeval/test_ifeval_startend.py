import pytest


@pytest.mark.parametrize(
    ("phrase", "response", "expected"),
    [
        ("The end.", "So it goes. THE END.", True),
        ("The end.", '"So it goes. The end."  \n', True),
        (" The end. ", "The end.", True),
        ("The end.", "The end. Or not?", False),
        ("The end.", "The end", False),
        ("", "anything", True),  # given, so taken as it is
    ],
)
def test_end_checker(follows, phrase, response, expected):
    assert follows("startend:end_checker", response, end_phrase=phrase) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('"quoted"', True),
        ('  "quoted"\n', True),
        ('""', True),
        ('"', False),
        ('"open', False),
        ("“curly”", False),
    ],
)
def test_quotation(follows, response, expected):
    assert follows("startend:quotation", response) is expected
