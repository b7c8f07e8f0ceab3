"""N-gram overlap of training rows with questions: copies are found, and nothing else."""

import json
import random
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from uniapl_cli.evaluation import ngrams
from uniapl_cli.evaluation.contamination import ContaminationOptions, overlap

QUESTION = (
    "A farmer has twelve sheep and sells five of them at the market on Monday; how many sheep "
    "are left when two lambs are born on Tuesday?"
)
PARAPHRASE = (
    "On Monday a farmer who owns twelve sheep takes five to market and sells them. Tuesday brings "
    "two lambs. How many animals does he have then?"
)
CHINESE = "一个农夫有十二只羊，星期一在市场上卖了五只；星期二又生了两只小羊，还剩几只羊？"
THAI = "ชาวนามีแกะสิบสองตัว วันจันทร์ขายไปห้าตัวที่ตลาด วันอังคารมีลูกแกะเกิดสองตัว เหลือกี่ตัว"


SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def found(question: str, *texts: str, n: int = 13) -> int:
    return overlap({"q": question}, texts, n).found


@pytest.mark.parametrize("question", [QUESTION, CHINESE, THAI])
def test_a_copy_is_found_wherever_it_stands(question):
    assert found(question, question)
    assert found(question, "Nothing here.", f"Before. {question} Behind.")
    part = question[len(question) // 3 :]
    assert found(question, f"Before {part}")
    assert not found(question, "Nothing here.", "")


def test_a_paraphrase_is_not():
    assert not found(QUESTION, PARAPHRASE)
    assert not found(PARAPHRASE, QUESTION)


@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        lambda text: text.replace(" ", "\n\t  "),
        lambda text: text.replace(";", " -").replace("?", "!!"),
        lambda text: text.replace(" sheep", " **sheep**"),
        lambda text: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in text),
    ],
)
def test_case_punctuation_white_space_and_width_make_no_difference(disguise):
    assert disguise(QUESTION) != QUESTION and found(QUESTION, disguise(QUESTION))


def test_punctuation_does_not_part_chinese():
    assert found(CHINESE, "".join(c for c in CHINESE if c not in "，；？"))
    assert found(CHINESE, " ".join(CHINESE))


@pytest.mark.parametrize("n", [1, 2, 5, 13, 20])
def test_so_many_words_in_a_row_are_needed(n):
    words = [f"word{i}" for i in range(40)]
    question, others = " ".join(words), ["other"]
    for start in (0, 7, 40 - n):
        exactly = " ".join(others + words[start : start + n] + others)
        assert found(question, exactly, n=n)
        fewer = " ".join(others + words[start : start + n - 1] + others)
        assert n == 1 or not found(question, fewer, n=n)
        broken = words[start : start + n]
        broken[n // 2] = "other"
        assert not found(question, " ".join(broken), n=n)


def test_the_words_of_two_texts_are_no_n_gram():
    words = QUESTION.split()
    halves = [" ".join(words[:12]), " ".join(words[12:24])]
    assert not found(QUESTION, *halves) and found(QUESTION, " ".join(halves))


def test_a_short_question_is_one_n_gram():
    assert found("What is 7 times 8?", "Tell me: what is 7 times 8, please")
    assert not found("What is 7 times 8?", "What is 7 times 9?", "is 7 times 8")
    assert found("猫为什么睡觉？", "请问，猫为什么睡觉") and not found(
        "猫为什么睡觉？", "狗为什么睡觉？"
    )


def test_questions_without_words_are_not_compared():
    result = overlap({"a": "", "b": "?!", "c": "word"}, ["word ?!"])
    assert (result.questions, result.compared, result.found, result.share) == (3, 1, 1, 1.0)
    nothing = overlap({}, ["word"])
    assert (nothing.questions, nothing.found, nothing.share) == (0, 0, None)
    assert overlap({"a": "word"}, []).found == 0


PROMPT = "Please reason step by step and put your final answer inside of a box at the very end."


def test_the_prompts_own_wording_is_no_copy():
    questions = {str(i): f"Number {i} of sheep and {i * 7} goats? {PROMPT}" for i in range(30)}
    assert overlap(questions, [f"Something else. {PROMPT}"] * 5).found == 0
    result = overlap(questions, ["number 3 of sheep and 21 goats", PROMPT])
    assert (result.found, result.ids, result.compared) == (1, ("3",), 30)
    few = dict(list(questions.items())[:3])
    assert overlap(few, [PROMPT]).found == 0
    assert overlap({"0": questions["0"], "1": questions["1"]}, [PROMPT]).found == 2


@pytest.mark.parametrize("frame", ["{}", "{} In one box.", "Now solve: {}", "Now: {} In one box."])
def test_what_all_questions_begin_and_end_with_hides_no_short_one(frame):
    plain = {"a": "What is 7 times 8?", "b": "Why do cats sleep so long?", "c": QUESTION}
    framed = {id: frame.format(question) for id, question in plain.items()}
    assert overlap(framed, plain.values()).found == 3
    assert overlap(framed, [frame.format("Other words")] * 3).found == 0


def test_questions_that_are_all_alike_keep_their_words():
    assert overlap({"a": "one two", "b": "one two", "c": "one two"}, ["one two"]).found == 3


def test_a_question_that_stands_twice_is_found_twice():
    questions = {"a": QUESTION, "b": QUESTION, **{str(i): f"other {i} " * 9 for i in range(5)}}
    assert overlap(questions, [QUESTION]).ids == ("a", "b")


def test_the_first_ids_are_those_of_the_questions_order():
    questions = {f"q{i}": " ".join(f"w{i}x{j}" for j in range(20)) for i in range(30)}
    result = overlap(questions, reversed(list(questions.values())[4:14]))
    assert (result.found, result.ids) == (10, ("q4", "q5", "q6", "q7", "q8"))
    assert result.plain() == {
        **{"n": 13, "questions": 30, "compared": 30, "texts": 10, "found": 10},
        **{"share": 10 / 30, "ids": ["q4", "q5", "q6", "q7", "q8"]},
    }


def test_neither_the_order_of_texts_nor_of_questions_matters():
    rng = random.Random(0)
    pool = ["a", "b", "c", "d"]
    questions = {str(i): " ".join(rng.choices(pool, k=rng.randint(1, 12))) for i in range(200)}
    texts = [" ".join(rng.choices(pool, k=8)) for _ in range(1200)]
    first = overlap(questions, texts, 7)
    assert 0 < first.found < first.compared
    turned = dict(reversed(questions.items()))
    for shuffled in (reversed(texts), rng.sample(texts, len(texts)), sorted(texts)):
        again = overlap(turned, shuffled, 7)
        assert (again.found, again.compared, again.texts) == (first.found, first.compared, 1200)


def _plainly(questions: Sequence[list[str]], texts: Sequence[list[str]], n: int) -> list[bool]:
    """Whether each question is found, by tuples of words, none of them common."""

    def grams(words: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}

    return [
        any(grams(q, min(n, len(q))) & grams(text, min(n, len(q))) for text in texts)
        if q
        else False
        for q in questions
    ]


WORDS = st.lists(st.sampled_from("abc"), max_size=9)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=2), st.lists(WORDS, max_size=6), st.integers(1, 6))
def test_it_finds_what_sets_of_words_find(questions, texts, n):
    index = ngrams.Index([" ".join(q) for q in questions], n)
    index.look_for([" ".join(t) for t in texts])
    assert index.found() == _plainly(questions, texts, n)
    assert index.compared == sum(bool(q) for q in questions)


def test_numbers_are_those_of_the_words_alone():
    one = ngrams.Vocabulary(["a", "b", "a"]).joined([["a", "b", "c"]], 0)
    other = ngrams.Vocabulary(["b", "z", "a"]).joined([["a", "b", "c"]], 0)
    assert np.array_equal(one, other) and one[2] == 0


def test_marks_of_a_script_stay_with_their_words():
    assert ngrams.words("बिल्ली गर्म छत पर।") == ["बिल्ली", "गर्म", "छत", "पर"]
    assert ngrams.words("Straße, naïve—C++ 3.5") == ["strasse", "naïve", "c", "3", "5"]
    assert ngrams.words("猫cat猫") == ["猫", "cat", "猫"] and ngrams.words("\ud800 a") == ["a"]


def test_texts_are_read_once_and_not_kept():
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            result = overlap({"a": QUESTION}, (f"{i} word " * 20 for i in range(count)))
            assert (result.texts, result.found) == (count, 0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(4096) < 1.3 * peak(1024)


def test_many_rows_take_little_time():
    rng = random.Random(0)
    pool = [f"word{i}" for i in range(5000)]
    questions = {str(i): " ".join(rng.choices(pool, k=60)) for i in range(1000)}
    rows = [" ".join(rng.choices(pool, k=100)) for _ in range(2000)]
    rows[77] += " " + questions["500"]
    began = time.process_time()
    result = overlap(questions, (row for _ in range(5) for row in rows))
    assert (result.found, result.ids, result.texts) == (1, ("500",), 10_000)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("n", [0, -1, 101, 2.5])
def test_n_has_bounds(n):
    with pytest.raises(ValidationError):
        ContaminationOptions(n=n)
    assert ContaminationOptions().n == 13 and ContaminationOptions().files == []


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
def test_real_questions_are_found_where_they_were_trained_on():
    def column(file: str, name: str) -> dict[str, str]:
        lines = (SHARED / file).read_text().splitlines()
        return {str(i): json.loads(line)[name] for i, line in enumerate(lines)}

    questions = column("math500/test.jsonl", "problem")
    boxed = {id: f"{q}\nPut your answer within \\boxed{{}}." for id, q in questions.items()}
    other = column("gsm8k/test.jsonl", "question")
    assert overlap(boxed, [*questions.values(), *other.values()]).found == 500
    assert overlap(boxed, other.values()).found == overlap(other, questions.values()).found == 0
    trained = column("ifeval_like/layout_example.jsonl", "prompt")
    ifeval = column("ifeval/input_data.jsonl", "prompt")
    copies = {id: prompt for id, prompt in ifeval.items() if prompt in trained.values()}
    assert overlap(copies, trained.values()).share == 1.0 and len(copies) == 60
