"""Means and their standard errors, against closed forms."""

import logging
import math
import random
import statistics
from dataclasses import replace

import pytest

from uniapl_cli.discriminators import coefficient
from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.evaluation.estimates import Estimate
from uniapl_cli.evaluation.metrics import Answer, check_graded, metrics
from uniapl_cli.evaluation.metrics import estimate_of as estimate
from uniapl_cli.teachers import Answer as Response
from uniapl_cli.types import Constraint, Verdict


def completion(text="So.", tokens=3, reason="stop") -> Response:
    return Response(text, reason, 5, tokens)


@pytest.fixture
def answer(example):
    """answer(id, strict verdicts, loose verdicts, response, completion, **columns)"""

    def make(id="1", strict=(), loose=(), response=None, answered=None, **columns):
        verdict = Verdict(tuple(strict), tuple(loose))
        return Answer(example(id, response, **columns), answered or completion(), verdict)

    return make


def shares(name: str, answers, **supplied):
    return metrics.bind(metrics.options(name), **supplied)(answers)


def test_one_answer_a_prompt_has_the_textbook_error(answer):
    values = [random.Random(0).gauss(0, 1) for _ in range(50)]
    answers = [answer(str(n)) for n in range(50)]
    computed = estimate(answers, [(value, 1.0) for value in values])
    assert computed.mean == pytest.approx(statistics.mean(values))
    assert computed.se == pytest.approx(statistics.stdev(values) / math.sqrt(50))
    assert computed.n == 50


def test_answers_of_one_prompt_are_one_observation(answer):
    """Prompt means 0, 1 and 1/2: mean 1/2, s = 1/2, se = s / sqrt(3). As six it would be less."""
    answers = [answer(id) for id in ("a", "a", "b", "b", "c", "c")]
    computed = estimate(answers, [(v, 1.0) for v in (0, 0, 1, 1, 0, 1)])
    assert computed == Estimate(0.5, pytest.approx(0.5 / math.sqrt(3)), 3)


def test_repeating_every_answer_changes_nothing(answer):
    once = [answer(id) for id in "abcd"]
    values = [(0.2, 1.0), (0.4, 2.0), (1.0, 1.0), (0.0, 3.0)]
    twice = estimate(once * 2, values * 2)
    assert twice == Estimate(
        pytest.approx(estimate(once, values).mean), pytest.approx(estimate(once, values).se), 4
    )


def test_the_ratio_estimators_error_by_hand(answer):
    """Totals 1, 2, 0 of counts 1, 3, 1: R = 3/5, residuals 2/5, 1/5, -3/5, squares 14/25.

    se = sqrt(3/2 * 14/25) / 5.
    """
    computed = estimate([answer(id) for id in "abc"], [(1, 1), (2, 3), (0, 1)])
    assert computed == Estimate(pytest.approx(0.6), pytest.approx(math.sqrt(1.5 * 14 / 25) / 5), 3)


def test_the_error_is_that_of_repeated_sampling(answer):
    rng, answers = random.Random(1), [answer(str(n)) for n in range(200)]
    computed = []
    for _ in range(300):
        counts = [rng.randint(1, 4) for _ in answers]
        drawn = [(float(sum(rng.random() < 0.3 for _ in range(c))), float(c)) for c in counts]
        computed.append(estimate(answers, drawn))
    spread = statistics.stdev(e.mean for e in computed)
    assert statistics.mean(e.se for e in computed) == pytest.approx(spread, rel=0.15)


def test_what_cannot_be_told_is_not_a_number(answer):
    assert math.isnan(estimate([answer()], [(1.0, 1.0)]).se)
    nothing = estimate([answer("a"), answer("b")], [(0.0, 0.0), (0.0, 0.0)])
    assert math.isnan(nothing.mean) and math.isnan(nothing.se)


def test_ifeval_counts_prompts_and_instructions(answer):
    answers = [
        answer("1", [True, True], [True, True]),
        answer("2", [True, False, False], [True, True, True]),
        answer("3", [False], [False]),
    ]
    means = {name: estimate(answers, s).mean for name, s in shares("ifeval", answers).items()}
    assert means == pytest.approx(
        {"prompt_strict": 1 / 3, "inst_strict": 3 / 6, "prompt_loose": 2 / 3, "inst_loose": 5 / 6}
    )


def test_an_answer_without_constraints_is_not_graded(answer):
    graded = [answer("1", [True], [True]), answer("2", [False], [True])]
    both = [answer("0"), *graded, answer("3"), answer("3")]
    for name, values in shares("ifeval", both).items():
        assert estimate(both, values) == estimate(graded, shares("ifeval", graded)[name])
        assert estimate(both, values).n == 2


def test_prompts_that_are_not_graded_are_counted_and_said(example, caplog):
    bare, some = example("1"), example("2", None, "punctuation:no_comma")
    with caplog.at_level(logging.WARNING, "uniapl"):
        check_graded([bare, some, bare], ["ifeval", "length"], "eval.metrics")
        check_graded([some], ["ifeval"], "eval.metrics")
        check_graded([bare], ["length"], "eval.metrics")
    (record,) = caplog.records
    assert record.args == (2, 3, "rows.jsonl:1")
    with pytest.raises(DataError) as caught:
        check_graded([bare, bare], ["length", "ifeval"], "eval.metrics")
    assert caught.value.where == "rows.jsonl:1"


def test_length_is_in_tokens_and_against_the_teachers(answer, chat):
    teacher = "The harbour is old."
    tokens = len(chat.response_ids(teacher))
    answers = [
        answer("1", response=teacher, answered=completion(tokens=4)),
        answer("2", response=teacher, answered=completion(tokens=8, reason="length")),
    ]
    computed = shares("length", answers, chat=chat)
    assert computed["length"] == [(4, 1), (8, 1)]
    assert computed["truncated"] == [(0, 1), (1, 1)]
    assert computed["length_ratio"] == [(4, tokens), (8, tokens)]


def test_without_a_teacher_there_is_no_ratio(answer, chat):
    answers = [answer("1", response="So."), answer("2")]
    assert "length_ratio" not in shares("length", answers, chat=chat)


def test_topic_asks_whether_the_answer_keeps_to_it(answer):
    answers = [
        answer("1", answered=completion("The harbour is old."), topic="harbour"),
        answer("2", answered=completion("The garden is old."), topic="harbour"),
    ]
    assert shares("topic", answers) == {"topic": [(1, 1), (0, 1)]}


def test_topic_needs_its_column(answer):
    with pytest.raises(DataError) as caught:
        shares("topic", [answer("1")])
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:1", ["key", "prompt"])


class Lengths:
    """A discriminator whose score is how much longer the candidate is."""

    def score(self, comparisons):
        return [float(len(c.candidate) - len(c.reference)) for c in comparisons]


def test_the_discriminator_judges_what_follows_the_thoughts(answer):
    thought = completion("<think>\nhm\n</think>\n\nSo so.")
    computed = shares(
        "discriminator", [answer("1", response="So.", answered=thought)], discriminator=Lengths()
    )
    assert computed == {"score": [(3.0, 1.0)], "coef": [(coefficient(3.0), 1.0)]}


def test_the_discriminator_needs_the_teachers_response(answer):
    with pytest.raises(DataError) as caught:
        shares("discriminator", [answer("1")], discriminator=Lengths())
    assert caught.value.where == "rows.jsonl:1"


def test_an_instruction_that_cannot_be_judged_here_is_in_no_rate_of_ifeval(answer, monkeypatch):
    lacking = {"b": UniAPLError("a tagger is missing")}
    monkeypatch.setattr("uniapl_cli.verifiers.needs.lacking", lacking.get)
    both = answer("1", (True, False), (True, False))
    alone = answer("2", (False,), (False,))
    answers = [
        replace(one, example=replace(one.example, constraints=tuple(map(Constraint, ids))))
        for one, ids in ((both, "ab"), (alone, "b"), (alone, "a"))
    ]
    counted = shares("ifeval", answers)
    assert counted["inst_loose"] == [(1.0, 1.0), (0.0, 0.0), (0.0, 1.0)]
    assert counted["prompt_strict"] == [(0.0, 0.0), (0.0, 0.0), (0.0, 1.0)]
