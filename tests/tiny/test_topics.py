import pytest

from uniapl_cli.tiny.task import ADJECTIVES, END_PHRASES, KEYWORDS
from uniapl_cli.tiny.topics import TOPICS, on_topic


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The harbour is old.", True),
        ("THE BOATS ARE CALM.", True),
        ("- I know the gulls well.", True),
        ("The garden is old, and the roses are warm.", False),
        ("The harbour is old, and the roses are warm.", False),
        ("The harbour and its boats are near the garden.", True),
        ("The boatsman's harbourage.", False),
        ("That is all.", False),
        ("", False),
    ],
)
def test_the_topic_must_be_named_more_often_than_all_others(response, expected):
    assert on_topic(response, "harbour") is expected


def test_an_unknown_topic_is_refused():
    with pytest.raises(ValueError):
        on_topic("The moon is old.", "moon")


def test_no_word_belongs_to_two_topics_or_to_the_common_language():
    words = [word for topic, things in TOPICS.items() for word in (topic, *things)]
    assert len(set(words)) == len(words)
    common = {*ADJECTIVES, *KEYWORDS, *" ".join(END_PHRASES).lower().replace(".", "").split()}
    assert not common & set(words)


def test_no_keyword_hides_in_another_word():
    # keywords:existence searches for the letters: "hammer" would be found in "hammers".
    words = [*TOPICS, *(thing for things in TOPICS.values() for thing in things), *ADJECTIVES]
    assert not [(k, word) for k in KEYWORDS for word in words if k in word]


def test_every_oracle_answer_keeps_to_its_topic_and_to_no_other(demonstrated):
    for row in demonstrated[:300]:
        assert [t for t in TOPICS if on_topic(row["response"], t)] == [row["topic"]]
