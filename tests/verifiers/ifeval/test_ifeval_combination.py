import pytest


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("one ****** two", True),
        ("******one******two******", True),
        ("one ****** one", False),
        ("one", False),
        ("one ****** ****** two", False),  # an empty one in the middle
        ("one ****** two ****** three", False),
        ("one *** two", False),
    ],
)
def test_two_responses(follows, response, expected):
    assert follows("combination:two_responses", response) is expected


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("Tell me why.", "  tell me WHY. Because.", True),
        (" Tell me why.\n", "Tell me why.", True),
        ("Tell me why.", "Sure! Tell me why.", False),
    ],
)
def test_repeat_prompt(follows, prompt, response, expected):
    assert follows("combination:repeat_prompt", response, prompt_to_repeat=prompt) is expected
