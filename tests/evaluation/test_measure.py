"""A benchmark is asked turn by turn, goes on where it was, and is graded by its texts alone."""

import random
from dataclasses import dataclass, field, replace

import pytest

from uniapl_cli.errors import DataError, TeacherError
from uniapl_cli.evaluation.answers import AnswerFile, Draw
from uniapl_cli.evaluation.benchmarks import Benchmark, Item, Turn
from uniapl_cli.evaluation.measure import ask, chosen, grade
from uniapl_cli.evaluation.scores import score
from uniapl_cli.files import dump, read_rows
from uniapl_cli.teachers import Answer, Failure
from uniapl_cli.teachers.local import TOO_LONG
from uniapl_cli.types import Message, Sampling
from uniapl_cli.verifiers import Judge, constraint

COMMA = constraint("punctuation:no_comma")


class Commas(Benchmark):
    title, rule, extracts = "Commas", "none/1", False


@dataclass
class Parrot:
    """Answers with the number of turns it has seen and the seed; dies after `lives` answers."""

    lives: int = 1000
    asked: list = field(default_factory=list)

    def answer(self, questions, sampling, progress=None):
        for index, question in reversed(list(enumerate(questions))):
            for sample, seed in enumerate(question.seeds):
                if self.lives == 0:
                    raise KeyboardInterrupt
                self.lives -= 1
                self.asked.append(question.messages)
                text = f"{question.messages[-1].content}{',' * (seed % 2)} {seed}"
                yield index, sample, Answer(text, "stop", 3, 2)


def conversation(id, turns=1, **fields):
    return Item(id, tuple(Turn(f"{id}{n}", (COMMA,)) for n in range(turns)), **fields)


@pytest.fixture
def file(tmp_path):
    """file(samples, **provenance): the answers of one draw."""

    def make(samples=1, long_is_wrong=False, **provenance):
        draw = Draw("drawn", samples, Sampling(), 7)
        path = tmp_path / "answers.jsonl"
        return AnswerFile(path, provenance, draw, long_is_wrong=long_is_wrong)

    return make


def asked(items, file, teacher):
    return ask(items, file, lambda: teacher, "title")


def test_later_turns_stand_behind_the_samples_own_answers(file):
    item = conversation("a", 3, shots=(Message("user", "1+1"), Message("assistant", "2")))
    teacher = Parrot()
    answers = asked([item], file(2), teacher)
    last = [m for m in teacher.asked if len(m) == 2 + 5]
    assert len(answers) == 6 and len(last) == 2
    for sample in range(2):
        said = [answers["a", turn, sample].text for turn in range(2)]
        texts = ["1+1", "2", "a0", said[0], "a1", said[1], "a2"]
        assert texts in [[message.content for message in messages] for messages in last]


def test_conversations_end_where_their_turns_do_and_refused_items_are_not_asked(file):
    items = [conversation("a", 2), conversation("b"), conversation("c", refused="no package")]
    answers = asked(items, file(), Parrot())
    assert sorted(answers) == [("a", 0, 0), ("a", 1, 0), ("b", 0, 0)]


@pytest.mark.parametrize("lives", range(0, 12, 3))
def test_what_was_answered_is_not_asked_again(file, lives):
    items = [conversation(str(n), 2) for n in range(3)]
    whole = asked(items, file(2), first := Parrot())
    path = file().path
    rows = sorted(row.values["response"] for row in read_rows(path))
    path.unlink()
    with pytest.raises(KeyboardInterrupt):
        asked(items, file(2), Parrot(lives))
    answers = asked(items, file(2), again := Parrot())
    assert answers == whole and sorted(r.values["response"] for r in read_rows(path)) == rows
    assert len(again.asked) == len(first.asked) - lives


def test_a_file_of_all_answers_loads_no_model(file):
    items = [conversation("a")]
    whole = asked(items, file(), Parrot())

    def load():
        raise AssertionError("there is nothing to ask")

    assert ask(items, file(), load, "title") == whole


def test_more_rows_and_more_samples_go_on_from_the_others(file):
    asked([conversation("a")], file(), Parrot())
    teacher = Parrot()
    answers = asked([conversation("a"), conversation("b")], file(2), teacher)
    assert len(answers) == 4 and len(teacher.asked) == 3


def test_answers_to_other_questions_or_made_otherwise_are_refused(file):
    asked([conversation("a")], file(model="x"), Parrot())
    with pytest.raises(DataError):
        asked([conversation("a")], file(model="y"), Parrot())
    changed = Item("a", (Turn("another", (COMMA,)),))
    with pytest.raises(DataError) as caught:
        asked([changed], file(model="x"), Parrot())
    assert (caught.value.got, caught.value.line) == ("a", 1)


class Full:
    """A model whose context the first question fills."""

    def __init__(self, kind=TOO_LONG):
        self.kind = kind

    def answer(self, questions, sampling, progress=None):
        yield 0, 0, Failure("9 tokens fill it", self.kind)
        yield 1, 0, Answer("fine", "stop", 3, 1)


def test_a_prompt_that_is_too_long_is_an_error_or_a_wrong_answer(file):
    items = [conversation("a", origin="rows:1"), conversation("b")]
    with pytest.raises(TeacherError) as caught:
        asked(items, file(), Full())
    assert "eval.too_long" in caught.value.advice and caught.value.line == 1
    answers = asked(items, file(long_is_wrong=True), Full())
    graded = grade(Commas(), items, answers, Judge(), "title")
    assert [one.marks["accuracy"][0] for one in graded] == [0.0, 1.0]
    assert [one.cut for one in graded] == [True, False]
    with pytest.raises(TeacherError):
        asked([conversation("x"), *items], file(long_is_wrong=True), Full("another"))


def test_half_a_surrogate_is_kept_as_a_question_mark(file):
    class Broken:
        def answer(self, questions, sampling, progress=None):
            yield 0, 0, Answer("a\ud800", "stop", 3, 1)

    first = asked([conversation("a")], file(), Broken())
    assert first["a", 0, 0].text == "a?"
    assert asked([conversation("a")], file(), Parrot()) == first


def test_a_row_that_was_spoilt_is_told_with_its_line(file):
    asked([conversation("a"), conversation("b")], file(), Parrot())
    first, second = (row.values for row in read_rows(file().path))
    for name in ("id", "turn", "sample", "question", "response", "finish_reason"):
        for spoilt in (None, ["x"], {}):
            rows = [first, {**second, name: spoilt}]
            file().path.write_text("".join(map(dump, rows)))
            with pytest.raises(DataError) as caught:
                asked([conversation("a"), conversation("b")], file(), Parrot())
            assert (caught.value.line, caught.value.got) == (2, spoilt)


def test_grades_depend_on_neither_the_order_of_the_answers_nor_of_the_items(file):
    items = [conversation(str(n), 2) for n in range(8)]
    answers = list(asked(items, file(2), Parrot()).items())
    graded = grade(Commas(), items, dict(answers), Judge(), "title")
    assert [one.item.id for one in graded] == [str(n) for n in range(8) for _ in range(4)]
    random.Random(0).shuffle(answers)
    assert grade(Commas(), items, dict(answers), Judge(), "title") == graded
    shuffled = grade(Commas(), items[::-1], dict(answers), Judge(), "title")
    assert score(Commas(), shuffled)["metrics"] == score(Commas(), graded)["metrics"]


def test_rows_of_samples_tell_what_was_judged(file):
    (graded,) = grade(
        Commas(),
        [conversation("a", subset="s")],
        asked([conversation("a")], file(), Parrot()),
        Judge(),
        "title",
    )
    assert graded.row["prompt"] == "a0" and graded.row["subset"] == "s"
    assert graded.row["strict"] == [graded.row["correct"]]
    assert graded.row["instruction_id_list"] == ["punctuation:no_comma"]
    assert graded.row["kwargs"] == [{}]


def test_a_blank_response_to_instructions_has_verdicts_too(file):
    item = conversation("a")
    answers = {
        place: replace(answer, text=" ")
        for place, answer in asked([item], file(), Parrot()).items()
    }
    (graded,) = grade(Commas(), [item], answers, Judge(), "title")
    assert graded.row["instruction_id_list"] == ["punctuation:no_comma"]
    assert graded.row["strict"] == [False] and not graded.row["correct"]


@pytest.mark.parametrize("limit", [None, 1, 2, 5, 7, 100])
def test_a_limit_takes_the_first_rows_of_each_subset_alike(limit):
    items = [conversation(f"{subset}{n}", subset=subset) for subset in "abc" for n in range(3)]
    taken = chosen(Commas(), items, limit)
    assert taken == sorted(taken, key=items.index)
    assert len(taken) == min(limit or 9, 9)
    counts = [sum(item.subset == subset for item in taken) for subset in "abc"]
    assert max(counts) - min(counts) <= 1
    for subset, count in zip("abc", counts, strict=True):
        assert [i.id for i in taken if i.subset == subset] == [f"{subset}{n}" for n in range(count)]


def test_only_the_subsets_that_are_named_are_taken():
    items = [conversation(f"{s}{n}", subset=s) for s in "abc" for n in range(3)]
    assert {item.subset for item in chosen(Commas(subsets=["a", "c"]), items, 4)} == {"a", "c"}
