"""Many responses at once, by trusted verifiers and by functions out of a data set."""

import logging
from dataclasses import replace

import pytest

from uniapl_cli.sandbox import Limits, Outcome, Program, Sandbox
from uniapl_cli.types import Grade, Verdict
from uniapl_cli.verifiers import Case, Judge, constraint, judge
from uniapl_cli.verifiers.registry import Trial, verifiers

COMMA = constraint("punctuation:no_comma")
QUOTED = constraint("startend:quotation")
DOTLESS = constraint("punctuation:punctuation_dot")


def program(source):
    return constraint("autoif:evaluate", {"source": source})


SHORT = program("def evaluate(response): return len(response) < 9")
BROKEN = program("def evaluate(response): return int(response) > 3")
HANGS = program("def evaluate(response):\n    while True: pass")


@pytest.fixture(scope="module")
def box():
    with Sandbox(Limits(seconds=1, cpu_seconds=1), workers=2) as box:
        yield box


@pytest.fixture
def judging(box):
    return Judge(lambda packages: box)


def test_trusted_constraints_are_judged_as_one_by_one_and_start_no_sandbox():
    def refuse(packages):
        raise AssertionError("no sandbox is needed")

    texts = ["a", "a, b", '"a"', "", "x\n**a**", '<think>\n\n</think>\n\n"a"']
    verdicts = Judge(refuse)([Case(text, [COMMA, QUOTED]) for text in texts])
    plain = [judge(text, [COMMA, QUOTED]) for text in [*texts[:-1], '"a"']]
    assert [(v.strict, v.loose) for v in verdicts] == [(v.strict, v.loose) for v in plain]


def test_functions_and_verifiers_keep_their_places(judging):
    cases = [Case("short", [SHORT, COMMA]), Case("long, very long", [COMMA, SHORT, QUOTED])]
    assert judging(cases) == [
        Verdict((True, True), (True, True), (None, None)),
        Verdict((False,) * 3, (False,) * 3, (None,) * 3),
    ]


@pytest.mark.parametrize("bad", [BROKEN, HANGS])
def test_a_function_that_fails_is_an_error_of_its_row_and_stops_nothing(judging, bad, caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        first, second = judging([Case("four", [bad, SHORT], "a.jsonl:7"), Case("short", [SHORT])])
    assert first.strict == (False, True) and second.strict == (True,)
    assert first.errors[0] and first.errors[1] is None
    assert not first.passed
    assert judging.failures == {"autoif:evaluate": 1}
    assert "a.jsonl:7: 'autoif:evaluate'" in caplog.text


def test_a_trusted_verifier_that_crashes_is_an_error_of_its_own(monkeypatch):
    def crash(response):
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(vars(verifiers[QUOTED.id]), "definition", crash)
    (verdict,) = Judge()([Case("text", [COMMA, QUOTED], "a.jsonl:1")])
    assert (verdict.strict, verdict.loose) == ((True, False), (True, False))
    assert verdict.errors[0] is None and "ZeroDivisionError: oh" in str(verdict.errors[1])


def test_a_think_block_is_not_shown_to_a_function(judging):
    seen = program("def evaluate(response): return response == 'answer'")
    (verdict,) = judging([Case("<think>\nhm\n</think>\n\nanswer", [seen])])
    assert verdict.strict == (True,)


@pytest.mark.parametrize("cut", ["<think>\nno comma", " <think>", "x</think>\n \n"])
def test_thoughts_without_an_answer_follow_nothing(judging, cut):
    long = program("def evaluate(response): return True")
    (verdict,) = judging([Case(cut, [COMMA, long, DOTLESS])])
    assert verdict == Verdict((False,) * 3, (False,) * 3, (None,) * 3)


def test_only_ifevalgs_verifiers_and_its_rows_take_the_answers_tags_off(judging):
    wrapped = "<think>\n1.\n</think>\n<answer>No full stop</answer>\n"
    exact = program("def evaluate(response): return response.startswith('<answer>')")
    starts = constraint("first_word:first_word_answer", {"first_word": "no"})
    ends = constraint("startend:end_checker", {"end_phrase": "stop"})
    (verdict,) = judging([Case(wrapped, [starts, ends, replace(ends, unwrap=True), exact])])
    assert verdict.strict == (True, False, True, True)


def test_the_loose_verdict_is_only_there_where_it_was_asked_for(judging, monkeypatch):
    monkeypatch.setattr("uniapl_cli.verifiers.verdict.light_edits", None)
    (verdict,) = judging([Case("long, very long", [COMMA, SHORT])], loose=False)
    assert verdict == Verdict((False, False), (), (None, None))


@pytest.mark.parametrize(
    ("line", "key"),
    {"import nltk.data": "[nltk]", "from numpy import e": "[numpy]", "import wave.x": None}.items(),
)
def test_a_function_that_needs_a_package_says_which_and_how_to_allow_it(judging, line, key):
    function = program(f"def evaluate(response):\n    {line}\n    return True")
    (verdict,) = judging([Case("text", [function, COMMA])])
    assert verdict.strict == (False, True) and verdict.errors[0]
    assert ("sandbox.packages" in verdict.errors[0]) is (key is not None)
    assert (key or "wave.x") in verdict.errors[0]


def test_a_blank_response_follows_nothing(judging):
    (verdict,) = judging([Case(" \n", [SHORT, COMMA])])
    assert verdict == Verdict((False, False), (False, False), (None, None))


def test_no_cases_and_no_constraints_are_fine(judging):
    assert judging([]) == []
    assert judging([Case("x", [])]) == [Verdict((), (), ())]


def test_only_so_many_failures_are_told_but_all_are_counted(judging, caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        judging([Case("x", [BROKEN], f"a.jsonl:{n}") for n in range(9)])
    assert len(caplog.records) == 5
    assert judging.failures.total() == 9


@pytest.fixture
def graded(monkeypatch):
    """graded(program): the response's grade by a verifier that runs it, and how often it ran."""
    kept = vars(verifiers[SHORT.id])
    limits = Limits(seconds=0.5, cpu_seconds=1)

    def grade(box, source, reads="read"):
        trial = Trial(Program(source, limits=limits), reads)
        monkeypatch.setitem(kept, "definition", lambda response, source: trial)
        judge = Judge(lambda packages: box)
        (verdict,) = judge([Case("text", [SHORT])])
        return verdict, judge.repeated

    return grade


def test_an_answer_s_failure_is_a_reason_and_no_failure_of_the_verifier(box, graded):
    for source, reason in [
        ("assert 1 == 2", "assert 1 == 2"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ]:
        verdict, _ = graded(box, source)
        assert verdict.errors == (None,) and verdict.strict == (False,)
        assert verdict.grades == (Grade(False, "read", reason),)
    assert graded(box, "1")[0].grades == (Grade(True, "read"),)


def test_an_answer_that_waited_beyond_its_time_is_run_once_more(box, graded):
    verdict, repeated = graded(box, "import time; time.sleep(1)")
    assert repeated == 1 and verdict.grades[0].reason == "ran longer than 0.5 s, twice"
    assert graded(box, "import time; time.sleep(1)", None)[1] == 0  # a row's own check

    class Busy:
        def __init__(self):
            self.runs = []

        def run(self, calls):
            self.runs.append(len(list(calls)))
            late = Outcome(None, "ran longer than 0.5 s", 0.5, waited=True)
            return [late if len(self.runs) == 1 else Outcome(True, None, 0.1)]

    busy = Busy()
    verdict, repeated = graded(busy, "1")
    assert (busy.runs, repeated, verdict.grades) == ([1, 1], 1, (Grade(True, "read"),))
