"""Answers that would bring a machine down get a verdict with its reason, and the run goes on."""

import time

import pytest

BODIES = {
    "1\n    while True: pass": "than 3 s",  # on the clock, or of the processor
    "print(open('/etc/passwd').read()); open('/etc/shadow')": "Error: ",
    "x = 'x' * (10 << 30)": "MemoryError",
    "xs = [0]\n    while True: xs += xs": "MemoryError",
    "while True: print('x' * 1000)": "bytes of output",
    "import os\n    while True: os.fork()": "Error: ",
    "import threading\n    while True: threading.Thread(target=input).start()": "RuntimeError",
    "import socket; socket.socket()": "Error: ",
    "return halves(xs)": "RecursionError",
    "import os; os.kill(os.getppid(), 9); os.kill(-1, 9)": "",
    "import sys; sys.stdout.close(); sys.stderr.close(); 1 / 0": "ZeroDivisionError",
    "import builtins; builtins.AssertionError = builtins.Exception = 1; assert 0": "assert 0",
    "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()": "cannot be printed",
}
SOURCES = {
    "return " + "(" * 100_000 + ")" * 100_000: "SyntaxError: too many nested parentheses",
    "return " + "[" * 100_000: "SyntaxError",
    "return " + "-" * 100_000 + "1": "",
    "return " + "1 + " * 250_000 + "1": "",
    "return '" + "x" * 1_000_000 + "'": "assert candidate([4, 6]) == [2, 3]",
    "x\n" * 500_000: "",
    "\0": "",
    "return '\ud800'": "",
}


def test_hostile_bodies_are_wrong_within_their_time_and_the_next_is_right(grades, halves):
    started = time.monotonic()
    responses = [f"def halves(xs):\n    {body}" for body in BODIES]
    *found, last = grades(halves, *responses, "return [half(x) for x in xs]")
    assert last.correct
    for grade, (body, reason) in zip(found, BODIES.items(), strict=True):
        assert not grade.correct and grade.reason and reason in grade.reason, (body, grade)
        assert len(grade.reason) <= 510 and "\n" not in grade.reason
    assert time.monotonic() - started < 60


def test_hostile_sources_are_wrong_with_a_reason_and_the_next_is_right(grades, halves):
    *found, last = grades(halves, *SOURCES, "return [half(x) for x in xs]")
    assert last.correct
    for grade, (source, reason) in zip(found, SOURCES.items(), strict=True):
        assert not grade.correct and grade.reason and reason in grade.reason, source[:60]


@pytest.mark.parametrize(
    "response",
    [
        "def double(x):\n    " + "[" * 100_000,
        "[BEGIN]" * 100_000,
        "```\n" * 200_000,
        "x" * 1_000_000,
    ],
)
def test_hostile_responses_to_tests(grades, double, response):
    wrong, right = grades(double, response, "def double(x): return 2 * x")
    assert right.correct and not wrong.correct and wrong.reason


def test_an_object_that_equals_everything_passes_as_it_does_officially(grades, halves):
    body = "return type('Any', (), {'__eq__': lambda self, other: True})()"
    assert grades(halves, body)[0].correct
