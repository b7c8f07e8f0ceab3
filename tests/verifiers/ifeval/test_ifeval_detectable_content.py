import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifeval.detectable_content import number_placeholders


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("[name] and [address]", 2),
        ("[[name]]", 1),
        ("[a\nb]", 0),  # not across lines
        ("[]", 1),
        ("]name[", 0),
        ("[a [b] c]", 1),
    ],
)
def test_number_placeholders_is_a_lower_bound(follows, response, count):
    id = "detectable_content:number_placeholders"
    assert follows(id, response, num_placeholders=count)
    assert not follows(id, response, num_placeholders=count + 1)


@settings(deadline=None)
@given(st.text("[]a\n "))
def test_placeholders_are_counted_as_by_the_regular_expression(response):
    count = len(re.findall(r"\[.*?\]", response))
    assert number_placeholders(response, num_placeholders=count)
    assert not number_placeholders(response, num_placeholders=count + 1)


@pytest.mark.parametrize(
    ("marker", "response", "expected"),
    [
        ("P.S.", "Bye.\np.s. more", True),
        ("P.S.", "Bye.\nP. S. more", True),
        ("P.S.", "Bye.\nPS more", False),
        ("P.P.S", "P.P.S more", True),
        ("P.P.S", "p. p. s", True),
        ("P.P.S", "P.S. more", False),
        ("Note:", "one\nNOTE: two", True),
        ("Note:", "one", False),
        ("", "anything", True),  # given, so taken as it is
    ],
)
def test_postscript(follows, marker, response, expected):
    id = "detectable_content:postscript"
    assert follows(id, response, postscript_marker=marker) is expected


@pytest.mark.parametrize("response", ["[" * 100_000, "[a" * 50_000 + "]"])
def test_a_looping_response_takes_linear_time(response):
    start = time.perf_counter()
    assert not number_placeholders(response, num_placeholders=2)
    assert time.perf_counter() - start < 1
