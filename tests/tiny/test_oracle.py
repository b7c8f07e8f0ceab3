import random
from itertools import combinations

import pytest

from uniapl_cli.tiny.oracle import answer, demonstrations
from uniapl_cli.tiny.task import KINDS, rows, satisfiable
from uniapl_cli.verifiers import constraints, judge

PAIRS = [pair for pair in combinations(KINDS, 2) if satisfiable([kind.id for kind in pair])]


def verdict(row):
    return judge(row["response"], constraints(row["instruction_id_list"], row["kwargs"]))


@pytest.mark.slow
def test_every_answer_follows_its_instructions(demonstrated):
    assert [row["response"] for row in demonstrated if not verdict(row).passed] == []


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].id}+{pair[1].id}")
def test_any_two_instructions_that_may_meet_can_be_followed(pair):
    rng = random.Random(0)
    for _ in range(5):
        row = {
            "topic": "harbour",
            "instruction_id_list": [kind.id for kind in pair],
            "kwargs": [kind.draw(rng) for kind in pair],
        }
        row["response"] = answer(row, rng)
        assert verdict(row).passed, row


def test_ignoring_instructions_lowers_the_pass_rate():
    drawn = rows(0, 500)
    passed = [
        sum(verdict(row).passed for row in demonstrations(drawn, 1, ignore=ignore)) / len(drawn)
        for ignore in (0.0, 0.4, 0.8)
    ]
    assert passed[0] == 1
    assert 0.35 < passed[1] < 0.55
    assert passed[2] < 0.25


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_each_instruction_is_broken_by_some_answer_that_ignores_it(kind):
    # So that none is worth nothing to learn.
    rng = random.Random(0)
    row = {"topic": "farm", "instruction_id_list": [kind.id], "kwargs": [kind.draw(rng)]}
    answers = [{**row, "response": answer(row, rng, ignore=1.0)} for _ in range(50)]
    assert sum(verdict(row).passed for row in answers) < 40


def test_the_same_seed_gives_the_same_answers():
    drawn = rows(0, 50)
    assert demonstrations(drawn, 1, ignore=0.4) == demonstrations(drawn, 1, ignore=0.4)
    assert demonstrations(drawn, 1) != demonstrations(drawn, 2)


def test_demonstrations_leave_the_rows_as_they_were():
    drawn = rows(0, 3)
    demonstrations(drawn, 1)
    assert all("response" not in row for row in drawn)
