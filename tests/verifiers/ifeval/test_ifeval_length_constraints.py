import pytest


@pytest.mark.parametrize(
    ("response", "count"),
    [("one two three", 3), ("don't", 2), ("4.5 - 6", 3), ("snake_case", 1), ("naïve café", 2)],
)
def test_number_words_counts_runs_of_word_characters(follows, response, count):
    id = "length_constraints:number_words"
    assert follows(id, response, num_words=count, relation="at least")
    assert not follows(id, response, num_words=count, relation="less than")
    assert follows(id, response, num_words=count + 1, relation="less than")


@pytest.mark.parametrize(
    ("response", "count"),
    [("One. Two! Three?", 3), ("no full stop", 1), ("Line\nbreaks do not count", 1)],
)
def test_number_sentences(follows, response, count):
    id = "length_constraints:number_sentences"
    assert follows(id, response, num_sentences=count, relation="at least")
    assert not follows(id, response, num_sentences=count, relation="less than")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("one\n***\ntwo", True),
        ("one***two", True),
        ("***\none\n***\ntwo\n***", True),  # empty ends are not counted
        ("one\n***\n\n***\ntwo", False),  # an empty middle fails
        ("one\n\ntwo", False),  # blank lines divide nothing
        ("one\n***\ntwo\n***\nthree", False),
    ],
)
def test_number_paragraphs_is_exact(follows, response, expected):
    assert follows("length_constraints:number_paragraphs", response, num_paragraphs=2) is expected


@pytest.mark.parametrize(
    ("response", "nth", "first_word", "expected"),
    [
        ("Hello there\n\nWorld, it is", 2, "world", True),
        ("Hello there\n\nWorld, it is", 2, "WORLD", True),
        ('Hello there\n\n\'"World" it is', 2, "world", True),
        ("Hello\n\nworldly", 2, "world", False),
        ("Hello\n\nworld\n\nmore", 2, "world", False),  # three paragraphs, not two
        ("Hello\n\n\n\nworld", 2, "world", False),  # the second one looked up is blank
        ("Hello\n\nworld\n\n", 2, "world", True),  # a blank one is not counted
        ("world", 2, "world", False),
    ],
)
def test_nth_paragraph_first_word(follows, response, nth, first_word, expected):
    kwargs = {"num_paragraphs": 2, "nth_paragraph": nth, "first_word": first_word}
    id = "length_constraints:nth_paragraph_first_word"
    assert follows(id, response, **kwargs) is expected
