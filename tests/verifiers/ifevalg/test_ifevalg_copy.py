import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifevalg.copy import copying, copying_multiple, repeat_phrase

PROMPT = "Tell me, why?"
PHRASE = "Dance like nobody is watching you"
ONE, OTHER = "Dance like somebody is watching you", "Dance like nobody is seeing you"


@pytest.mark.parametrize("id", ["copy:copy", "copy:copying_simple"])
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (PROMPT, True),
        ("  TELL me, why?\n", True),
        (f"{PROMPT} Because.", False),
        ("Tell me,  why?", False),
        (f'"{PROMPT}"', False),
    ],
)
def test_copying(follows, id, response, expected):
    assert follows(id, response, prompt_to_repeat=f" {PROMPT}") is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (f"{PROMPT}\n******\n{PROMPT}", True),
        (f"{PROMPT}******tell me, why?", True),
        (PROMPT, False),
        (f"{PROMPT}******{PROMPT}******{PROMPT}", False),
        (f"******{PROMPT}******{PROMPT}", False),  # an empty part is a part
        (f"{PROMPT}***{PROMPT}", False),
        (f"{PROMPT}******because", False),
    ],
)
def test_copying_multiple(follows, response, expected):
    assert follows("copy:copying_multiple", response, prompt_to_repeat=PROMPT, N=2) is expected


@given(
    st.text(min_size=1).filter(str.strip).filter(lambda text: "*" not in text), st.integers(1, 5)
)
def test_a_prompt_copied_n_times_is_just_that(prompt, n):
    response = "******".join([prompt] * n)
    assert copying_multiple(response, prompt_to_repeat=prompt, N=n)
    assert not copying_multiple(response, prompt_to_repeat=prompt, N=n + 1)
    assert copying(response, prompt_to_repeat=prompt) is (n == 1)


@pytest.mark.parametrize(
    ("start", "end", "response", "expected"),
    [
        (5, 7, "me", True),
        (5, 7, " ME\n", True),
        (5, 7, "me,", False),  # the end is not included, whatever the instruction says
        (4, 8, "me,", True),  # the span is stripped, too
        (0, 4, "tell", True),  # 0 is the first character, never drawn
        (9, 99, "why?", True),
        (4, 5, "me", False),  # a blank span cannot be copied
    ],
)
def test_copy_span_idx(follows, start, end, response, expected):
    kwargs = {"prompt_to_repeat": PROMPT, "n_start": start, "n_end": end}
    assert follows("new:copy_span_idx", response, **kwargs) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (f"{ONE}. {OTHER}!", True),
        (f"{ONE}\n{OTHER}", True),
        (f"{ONE} and {ONE}", True),  # twice the same change
        (ONE, False),
        (f"{ONE} {OTHER} {ONE}", False),
        (f"{ONE} {PHRASE}", False),  # unchanged
        (f"{ONE} Dance like somebody is seeing you", False),  # two words changed
        (f"{ONE} Dance like nobody you", False),
        (f"{ONE} Dance like nobody\nis seeing you", False),  # not across lines
        (f"{ONE} dance like nobody is seeing you", False),  # case-sensitive
        (f"{ONE} Dance like nobody is seeing young", True),  # may end within a longer word
    ],
)
def test_repeat_phrase(follows, response, expected):
    assert follows("copy:repeat_phrase", response, phrase=f" {PHRASE}", small_n=2) is expected


@pytest.mark.parametrize(
    ("phrase", "response", "expected"),
    [
        ("Why. not now.", "Whyx maybe nowx", False),  # full stops are regular expressions ...
        ("Why. not now.", "Why. maybe now.", True),
        ("Why. not now.", "Whyx not now.", True),  # ... of which a match counts as replaced
        ("well-known as such", "well-known for such", True),
    ],
)
def test_the_ends_of_a_phrase_are_regular_expressions(follows, phrase, response, expected):
    assert follows("copy:repeat_phrase", response, phrase=phrase, small_n=1) is expected


@settings(deadline=None)
@given(st.text("ab c\n\r\u2028"))
def test_occurrences_are_found_as_by_the_regular_expression(response):
    occurrences = [text.split() for text in re.findall("a .*? c", response)]
    good = [own for own in occurrences if len(own) == 3 and own[1] != "b"]
    for n in (1, 2):
        expected = len(occurrences) == len(good) == n
        assert repeat_phrase(response, phrase="a b c", small_n=n) is expected


@pytest.mark.parametrize("response", ["Dance " * 50_000, "Dance x you " + "Dance " * 50_000])
def test_a_looping_response_takes_linear_time(response):
    start = time.perf_counter()
    assert not repeat_phrase(response, phrase=PHRASE, small_n=1)
    assert time.perf_counter() - start < 1
