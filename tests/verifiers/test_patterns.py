"""Patterns out of a data set: decided as `re` decides them, but never for longer than the limit."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.data import RowReader
from uniapl_cli.files import Row
from uniapl_cli.pipelines.filter import judged_chunks
from uniapl_cli.sandbox import Sandbox
from uniapl_cli.verifiers import Case, Judge, constraint, patterns
from uniapl_cli.verifiers.patterns import PatternError, find_all, occurrences, occurs, parts

NEVER, LONG = "(a+)+$", "a" * 64 + "!"
ENDLESS = [
    ("keywords:existence", {"keywords": ["well", NEVER]}),
    ("keywords:forbidden_words", {"forbidden_words": [NEVER]}),
    ("keywords:frequency", {"keyword": NEVER, "frequency": 1, "relation": "at least"}),
    ("keywords:word_once", {"keyword": "(a|a)*b"}),
    (
        "keywords:word_count_different_numbers",
        {"keyword": NEVER, "frequency": 1, "relation": "at least"},
    ),
    ("count:count_increment_word", {"keyword1": NEVER, "keyword2": "a"}),
    ("detectable_content:postscript", {"postscript_marker": NEVER}),
    ("detectable_format:multiple_sections", {"section_spliter": "(a+)+", "num_sections": 1}),
    ("copy:repeat_phrase", {"phrase": "(?:a+)+ b (?:a+)+b", "small_n": 1}),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.05)


WORDS = [
    "well",
    "a.b",
    r"\bwell\b",
    "C++",
    r"C\+\+",
    "colou?r",
    "a|b",
    "[a-c]+",
    "(w)(e)",
    "",
    "$",
    ".",
]
TEXTS = ["", "Well, well: a.b axb", "C++ and colour\ncolor", "WELL aaabbb", "\udcff é", "x" * 5000]


@pytest.mark.parametrize("pattern", [word for word in WORDS if word != "C++"])
@pytest.mark.parametrize("text", TEXTS)
def test_verdicts_are_re_s(pattern, text):
    assert occurs(pattern, text) == (re.search(pattern, text, re.I) is not None)
    assert occurrences(pattern, text) == len(re.findall(pattern, text, re.I))
    framed = re.split(rf"\s?{pattern}\s?\d+\s?", text)
    assert parts(pattern, text, before=r"\s?", after=r"\s?\d+\s?") == framed
    ours = [tuple(m) if isinstance(m, list) else m for m in find_all(pattern, text)]
    assert ours == re.findall(pattern, text)


@settings(deadline=None, max_examples=50)
@given(st.text("ab.\\^$) é", max_size=9), st.text("ab. é\n"))
def test_a_pattern_without_a_choice_is_matched_here_and_alike(pattern, text):
    try:
        re.compile(pattern)
    except re.error:
        return
    asked = patterns.ask("findall", pattern, text, re.IGNORECASE)
    assert occurrences(pattern, text) == len(asked)


def test_plain_words_start_no_process(monkeypatch):
    monkeypatch.setattr(patterns, "ask", None)
    assert occurs("well", "All is Well") and occurrences("e.", "even") == 2
    assert occurs("ell", "All is well", before=r"\b", after=r"\b") is False


@pytest.mark.parametrize(("id", "kwargs"), ENDLESS)
def test_a_pattern_that_never_ends_is_an_error_of_its_constraint_only(id, kwargs):
    text = f"well\n{LONG}\n{'a ' * 3}{LONG}"
    cases = [Case(text, [constraint(id, kwargs), constraint("punctuation:no_comma")])] * 2
    began = time.monotonic()
    for verdict in Judge()(cases):
        assert verdict.strict == (False, True)
        assert verdict.errors[0] and verdict.errors[1] is None
    assert time.monotonic() - began < 5


def test_a_long_word_in_a_long_text_has_the_same_limit():
    """Here it would take the product of both lengths."""
    word, text = "a" * 20_000 + "b", "a" * 500_000
    with pytest.raises(PatternError):
        occurs(word, text)
    assert occurs(word[-50:], text + "b")


def test_it_is_an_error_in_threads_and_the_next_pattern_is_matched():
    outcomes = []

    def match(pattern):
        try:
            outcomes.append(occurs(pattern, LONG))
        except PatternError as error:
            outcomes.append(error.got)

    threads = [threading.Thread(target=match, args=(p,)) for p in (NEVER, "a+!", NEVER, "b+")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [NEVER, NEVER, False, True]


@pytest.mark.slow
def test_it_is_an_error_of_its_row_in_the_filters_processes():
    kwargs = [{"keywords": [NEVER]}]
    values = {"prompt": "Hi", "instruction_id_list": ["keywords:existence"], "kwargs": kwargs}
    rows = [Row("r:1", {**values, "response": LONG}), Row("r:2", {**values, "response": "aa"})]
    with judged_chunks(rows, 2, RowReader("ifeval"), "strict", False, Sandbox) as chunks:
        (first, second) = [row for chunk in chunks for row in chunk]
    assert first.errors == first.failed == ["keywords:existence"]
    assert second.passed


def test_a_process_that_died_is_replaced():
    assert occurs("a+", "a")
    process = patterns._matcher._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert occurs("a+", "a")


def test_the_process_ends_with_the_one_that_asks():
    program = (
        "from uniapl_cli.verifiers import patterns\n"
        "patterns.occurs('a+', 'a'); print(patterns._matcher._process.pid, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as asking:
        matcher = int(asking.stdout.readline())
        asking.kill()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{matcher}/exe").exists():
        time.sleep(0.01)
    assert not Path(f"/proc/{matcher}/exe").exists()
