import json
import random
from collections import Counter
from itertools import combinations

import pytest

from uniapl_cli.tiny.task import EXCLUSIVE, IDS, KINDS, draw, rows, satisfiable
from uniapl_cli.tiny.topics import TOPICS
from uniapl_cli.verifiers import constraints


def test_the_same_seed_gives_the_same_rows():
    assert rows(3, 50) == rows(3, 50)
    assert rows(3, 50) != rows(4, 50)
    assert rows(3, 50) == rows(3, 80)[:50]


def test_no_prompt_occurs_twice_nor_among_the_rows_to_avoid():
    held = rows(1, 256)
    train = rows(1, 1200, besides=held)
    prompts = [row["prompt"] for row in (*held, *train)]
    assert len(set(prompts)) == 1456


def test_rows_are_json_and_named_in_order():
    drawn = rows(0, 3, name="train")
    assert [row["key"] for row in drawn] == ["train-0", "train-1", "train-2"]
    assert json.loads(json.dumps(drawn)) == drawn


def test_each_instruction_is_one_that_the_verifiers_know_with_these_kwargs():
    for row in rows(0, 500):
        checked = constraints(row["instruction_id_list"], row["kwargs"])
        assert [constraint.kwargs for constraint in checked] == row["kwargs"]


def test_all_topics_and_kinds_and_their_counts_occur():
    drawn = rows(0, 2000)
    assert {row["topic"] for row in drawn} == set(TOPICS)
    kinds = Counter(id for row in drawn for id in row["instruction_id_list"])
    assert set(kinds) == set(IDS)
    assert min(kinds.values()) > 200
    assert {len(row["kwargs"]) for row in drawn} == {1, 2, 3}


def test_a_prompt_says_its_topic_and_what_its_kwargs_hold():
    for row in rows(0, 300):
        assert f"the {row['topic']}." in row["prompt"]
        for kwargs in row["kwargs"]:
            for value in kwargs.values():
                text = value[0] if isinstance(value, list) else str(value)
                assert text.replace("less than", "fewer than") in row["prompt"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_phrasing_has_its_words_filled_in(kind):
    rng = random.Random(0)
    texts = {kind.phrase(kind.draw(rng), rng) for _ in range(200)}
    assert len(texts) >= len(kind.phrasings)
    assert not any("{" in text or "[" in text for text in texts)


def test_what_excludes_each_other_is_not_asked_together():
    rng = random.Random(0)
    assert all(satisfiable(draw(rng)["instruction_id_list"]) for _ in range(2000))
    excluded = [pair for pair in combinations(IDS, 2) if not satisfiable(pair)]
    assert excluded
    assert all(any(set(pair) <= group for group in EXCLUSIVE) for pair in excluded)
    assert not satisfiable([IDS[0], IDS[0]])
