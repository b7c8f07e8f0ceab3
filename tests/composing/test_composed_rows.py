"""Composed rows: balanced, one seed's own, and each with an answer that follows it."""

import hashlib
import itertools
import json
import subprocess
import sys
from collections import Counter

import pytest
from made_answers import answer
from wrong_answers import wrong

from uniapl_cli.composing import KINDS, Composer, Question
from uniapl_cli.composing.lexicon import KEYWORDS
from uniapl_cli.composing.together import exclusive
from uniapl_cli.data import columns
from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.verifiers import Case, Judge, trainable

ALL = list(KINDS.values())
# Instructions of which no answer made by rule follows some rows, and why: there is none.
NOT_SHOWN: dict[str, str] = {}


def composed(count=200, kinds=ALL, questions=None, **options):
    return list(Composer(kinds, questions, **options).rows(count))


def failed(rows, answers):
    """(number of the row, id) of what is not followed, strictly."""
    asked = [trainable(row["instruction_id_list"], row["kwargs"]) for row in rows]
    cases = [Case(text, own) for text, own in zip(answers, asked, strict=True)]
    return [
        (number, constraint.id)
        for number, (verdict, own) in enumerate(
            zip(Judge()(cases, loose=False), asked, strict=True)
        )
        for followed, constraint in zip(verdict.strict, own, strict=True)
        if not followed
    ]


def test_each_instruction_occurs_often(rows):
    counts = Counter(id for row in rows for id in row["instruction_id_list"])
    assert counts.keys() == KINDS.keys() and len(counts) == 54
    assert min(counts.values()) >= 20
    firsts = 5000 // 54  # each is the first of as many rows
    assert min(counts.values()) >= 0.9 * firsts
    assert {len(row["kwargs"]) for row in rows} == {1, 2, 3}


def test_an_answer_made_by_rule_follows_each_row(rows):
    wrong_ids = {id for _, id in failed(rows, map(answer, rows))}
    assert wrong_ids <= NOT_SHOWN.keys() and len(NOT_SHOWN) <= 9


@pytest.mark.parametrize("seed", range(1, 6))
def test_so_it_does_whatever_the_seed(seed):
    rows = composed(400, fewest=1 + seed % 3, most=3 + seed % 3, seed=seed)
    assert failed(rows, map(answer, rows)) == []


def test_so_it_does_where_there_are_many_instructions():
    rows = composed(1000, fewest=4, most=8, seed=7)
    assert {len(row["kwargs"]) for row in rows} >= {4, 5, 6, 7}
    assert failed(rows, map(answer, rows)) == []


def test_so_it_does_for_each_two_that_may_meet():
    rows, met = [], 0
    for pair in itertools.combinations(KINDS, 2):
        composer = Composer([KINDS[id] for id in pair], fewest=2, most=2)
        drawn = list(filter(None, map(composer.draw, range(12))))[:3]
        rows, met = rows + drawn, met + bool(drawn)
    assert met > 600
    assert failed(rows, map(answer, rows)) == []


def test_an_answer_that_ignores_one_instruction_fails_it(rows):
    """Each instruction of each row has an answer that misses it, by as little as there can be."""
    singles = [
        {"instruction_id_list": [id], "kwargs": [kwargs], "question": row["question"]}
        for row in rows[:1500]
        for id, kwargs in zip(row["instruction_id_list"], row["kwargs"], strict=True)
    ]
    assert {one["instruction_id_list"][0] for one in singles} == KINDS.keys()
    assert len(failed(singles, map(wrong, singles))) == len(singles)


def test_prompts_differ_and_hold_their_question(rows):
    assert len({row["prompt"] for row in rows}) == len(rows)
    assert all(row["prompt"].startswith(row["question"]) for row in rows)
    assert all(len(set(row["instruction_id_list"])) == len(row["kwargs"]) for row in rows)


def test_no_row_has_instructions_that_exclude_each_other(rows):
    for row in rows:
        ids = row["instruction_id_list"]
        assert not any(exclusive(one, other) for one in ids for other in ids if one != other)


def test_what_is_copied_is_the_question(rows):
    copies = [
        (row["question"], kwargs["prompt_to_repeat"])
        for row in rows
        for kwargs in row["kwargs"]
        if "prompt_to_repeat" in kwargs
    ]
    assert len(copies) > 200 and all(question == own for question, own in copies)


def test_nothing_but_the_question_stands_above_what_speaks_of_it(rows):
    spoken = [row for row in rows if any(KINDS[id].above for id in row["instruction_id_list"])]
    assert any(len(row["kwargs"]) > 1 for row in spoken)
    for row in spoken:
        id, kwargs = row["instruction_id_list"][0], row["kwargs"][0]
        below = row["prompt"].removeprefix(f"{row['question']}\n\n").split("\n\n")
        assert KINDS[id].above and below[0] in KINDS[id].all_wordings(kwargs)
        assert len(below) == len(row["kwargs"])
    turns = ({"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"})
    talk = composed(300, questions=[Question("Why is the sky blue, then?", turns)])
    assert not any(KINDS[id].above for row in talk for id in row["instruction_id_list"])


def test_a_list_has_two_instructions_or_more(rows):
    listed = [row for row in rows if row["prompt"].startswith(f"{row['question']}\n\n- ")]
    assert len(listed) > 500
    assert all(row["prompt"].count("\n- ") == len(row["kwargs"]) > 1 for row in listed)


def test_a_named_word_is_new_to_its_question(rows):
    names = ("keyword", "keyword1", "keyword2")
    for row in rows:
        pairs = zip(row["instruction_id_list"], row["kwargs"], strict=True)
        of_row = [kwargs for id, kwargs in pairs if id != "keywords:exclude_word_harder"]
        named = [kwargs[name] for kwargs in of_row for name in names if name in kwargs]
        named += [word for kwargs in of_row for word in kwargs.get("keywords", ())]
        assert len(named) == len(set(named))
        assert not any(word in row["question"].lower() for word in named)


def test_a_word_that_the_question_has_is_not_drawn():
    """Nor is an instruction for which too few words are left."""
    left = KEYWORDS[-2:]
    question = Question(f"What have {', '.join(KEYWORDS[:-2]).upper()} in common?")
    rows = composed(60, [KINDS["keywords:word_once"], KINDS["punctuation:no_comma"]], [question])
    named = {kwargs["keyword"] for row in rows for kwargs in row["kwargs"] if kwargs}
    assert named == set(left)
    full = Question(f"What have {', '.join(KEYWORDS)} in common?")
    with pytest.raises(DataError):
        composed(1, [KINDS["keywords:word_once"]], [full])


def test_a_span_begins_and_ends_with_a_character_that_comparing_keeps(rows):
    spans = [kwargs for row in rows for kwargs in row["kwargs"] if "n_start" in kwargs]
    assert len(spans) > 50
    for one in spans:
        span = one["prompt_to_repeat"][one["n_start"] : one["n_end"]]
        assert span == span.strip() and 4 < len(span) == one["n_end"] - one["n_start"]


def test_rows_are_read_by_the_layout_of_ifeval(rows):
    read = layouts["ifeval"].definition
    for row in rows[:100]:
        example = read(Row("rows.jsonl:1", row), trainable)
        assert example.prompt_text == row["prompt"]
        assert [one.id for one in example.constraints] == row["instruction_id_list"]
    assert columns.finished(Row("rows.jsonl:1", rows[0]), example)


def test_a_seed_decides_all():
    assert composed(seed=1) == composed(seed=1) != composed(seed=2)
    assert composed(50) == composed(200)[:50]


def test_another_process_composes_the_same(tmp_path):
    code = (
        "import hashlib, json\nfrom uniapl_cli.composing import KINDS, Composer\n"
        "rows = list(Composer(list(KINDS.values()), seed=3).rows(300))\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    here = hashlib.sha256(json.dumps(composed(300, seed=3)).encode()).hexdigest()
    for number in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": number, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_what_is_refused_is_drawn_anew():
    first = composed(20)
    unwanted = {row["prompt"] for row in first[::2]}
    again = list(Composer(ALL).rows(20, unwanted.__contains__))
    assert not unwanted & {row["prompt"] for row in again}
    assert [row["prompt"] for row in again[1::2]] == [row["prompt"] for row in first[1::2]]


def test_questions_of_ones_own_are_taken_in_turn():
    turns = ({"role": "system", "content": "Be brief."},)
    more = {"tools": [{"name": "search"}]}
    own = [Question("Why is the sky blue?", source="a"), Question("Sing", turns, {}, more, "b")]
    rows = composed(108, questions=own)
    assert [row["source"] for row in rows] == ["a", "b"] * 54
    assert rows[0]["prompt"].startswith("Why is the sky blue?")
    system, user = rows[1]["prompt"]
    assert system == turns[0] and user["role"] == "user" and user["content"].startswith("Sing\n\n")
    assert rows[1]["tools"] == more["tools"] and "tools" not in rows[0]
    answered = {"combination:repeat_prompt", "copy:copy", "keywords:exclude_word_harder"}
    unsuited = answered | {"detectable_format:constrained_response"}
    assert not unsuited & {id for row in rows[1::2] for id in row["instruction_id_list"]}
    assert failed(rows, map(answer, rows)) == []


@pytest.mark.parametrize(
    ("ids", "options", "key"),
    [
        (["copy:copy"], {"fewest": 2}, "compose.fewest"),
        (["punctuation:no_comma"], {"fewest": 2}, "compose.fewest"),
        (["punctuation:no_comma"], {"questions": [Question("Why?")]}, "compose.rows"),
    ],
)
def test_where_there_is_no_further_row_it_is_said(ids, options, key):
    with pytest.raises(DataError) as error:
        composed(200, [KINDS[id] for id in ids], **options)
    assert error.value.key == key
    assert error.value.got < 200
