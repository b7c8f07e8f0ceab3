import pytest


@pytest.mark.parametrize(
    ("keywords", "response", "expected"),
    [
        (["cat"], "Concatenate.", True),  # a substring is enough
        (["cat", "dog"], "CAT and Dog", True),
        (["cat", "dog"], "cat", False),
        (["c.t"], "cut", True),  # a regular expression, unescaped
    ],
)
def test_existence(follows, keywords, response, expected):
    assert follows("keywords:existence", response, keywords=keywords) is expected


@pytest.mark.parametrize(
    ("keyword", "frequency", "relation", "response", "expected"),
    [
        ("cat", 2, "at least", "Cats and cat", True),
        ("cat", 2, "less than", "Cats and cat", False),
        ("cat", 1, "less than", "dog", True),
        (" cat ", 1, "at least", "(cat)", True),  # the keyword is stripped
        ("cat", 0, "at least", "dog", True),  # 0 is a number like any other
        ("cat", 0, "less than", "dog", False),
        ("(c)(a)t", 1, "at least", "cat", True),  # groups do not multiply the count
    ],
)
def test_frequency(follows, keyword, frequency, relation, response, expected):
    kwargs = {"keyword": keyword, "frequency": frequency, "relation": relation}
    assert follows("keywords:frequency", response, **kwargs) is expected
    assert follows("keywords:word_count_different_numbers", response, **kwargs) is expected


@pytest.mark.parametrize(
    ("words", "response", "expected"),
    [
        (["cat"], "concatenate cats", True),  # only whole words are forbidden
        (["cat"], "The CAT.", False),
        (["cat", "dog"], "a hot-dog", False),
    ],
)
def test_forbidden_words(follows, words, response, expected):
    assert follows("keywords:forbidden_words", response, forbidden_words=words) is expected


@pytest.mark.parametrize(
    ("letter", "frequency", "relation", "response", "expected"),
    [
        ("a", 5, "at least", "A banana", False),
        ("A", 4, "at least", "A banana", True),
        ("a", 4, "less than", "A banana", False),
        ("#", 2, "at least", "# one\n## two", True),  # counted literally, never drawn
        ("!", 1, "less than", "calm", True),
    ],
)
def test_letter_frequency(follows, letter, frequency, relation, response, expected):
    kwargs = {"letter": letter, "let_frequency": frequency, "let_relation": relation}
    assert follows("keywords:letter_frequency", response, **kwargs) is expected
    assert follows("letters:letter_counting2", response, **kwargs) is expected
