import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniapl_cli.verifiers.ifeval.detectable_format import number_bullet_lists, title


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("* one\n* two", 2),
        ("- one\n  - two\n* three", 3),
        ("* one\n---\n* two", 3),  # a rule is a bullet
        ("**bold** line\n* one", 1),
        ("text - dash", 0),
        ("-", 1),
        ("*", 0),
        ("\n\n\n* one", 1),
    ],
)
def test_number_bullet_lists_is_exact(follows, response, count):
    id = "detectable_format:number_bullet_lists"
    assert follows(id, response, num_bullets=count)
    assert not follows(id, response, num_bullets=count + 1)
    assert count == 0 or not follows(id, response, num_bullets=count - 1)


@settings(deadline=None)
@given(st.text("*- a\n\t\r\v\u2028"))
def test_bullets_are_counted_as_by_the_regular_expressions(response):
    stars = re.findall(r"^\s*\*[^\*].*$", response, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", response, re.MULTILINE)
    assert number_bullet_lists(response, num_bullets=len(stars) + len(dashes))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("My answer is yes.", True),
        ("Well. My answer is maybe. There.", True),
        ("my answer is yes.", False),
        ("My answer is yes", False),
    ],
)
def test_constrained_response(follows, response, expected):
    assert follows("detectable_format:constrained_response", response) is expected


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ("*one* and *two*", 2),
        ("**one**", 1),
        ("*a\nb*", 0),
        ("* * and ****", 0),  # blank ones do not count
        ("* one\n* two", 0),
        ("* one * two *", 1),
    ],
)
def test_number_highlighted_sections_is_a_lower_bound(follows, response, count):
    id = "detectable_format:number_highlighted_sections"
    assert follows(id, response, num_highlights=count)
    assert not follows(id, response, num_highlights=count + 1)


@pytest.mark.parametrize(
    ("spliter", "response", "count"),
    [
        ("Section", "Section 1\na\nSection 2\nb", 2),
        ("Section", "SECTION 1\na", 0),  # case-sensitive
        ("Section", "Section one", 0),
        (" Day ", "Day1 Day  2 Day 3", 2),  # stripped; at most one space before the number
        ("(Part|Act)", "Act 1", 2),  # groups multiply the count, as officially
    ],
)
def test_multiple_sections_is_a_lower_bound(follows, spliter, response, count):
    id = "detectable_format:multiple_sections"
    assert follows(id, response, section_spliter=spliter, num_sections=count)
    assert not follows(id, response, section_spliter=spliter, num_sections=count + 1)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('{"a": [1, 2]}', True),
        ('```json\n{"a": 1}\n```', True),
        ('```JSON\n{"a": 1}\n```', True),
        ("```\n[]\n```", True),
        ("42", True),
        ('"text"', True),
        ("Here: {}", False),
        ("{'a': 1}", False),
        ("", False),
        ("[" * 100_000, False),
        ("9" * 10_000, False),
    ],
)
def test_json_format(follows, response, expected):
    assert follows("detectable_format:json_format", response) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<<A title>>\ntext", True),
        ("text <<A>> text", True),
        ("<<a\nb>>", False),
        ("<< >>", False),
        ("<<>>", False),
        ("<A title>", False),
        ("<<<>>>", False),
    ],
)
def test_title(follows, response, expected):
    assert follows("detectable_format:title", response) is expected


@settings(deadline=None)
@given(st.text("<> a\n"))
def test_title_is_found_as_by_the_regular_expression(response):
    titles = re.findall(r"<<[^\n]+>>", response)
    assert title(response) == any(text.lstrip("<").rstrip(">").strip() for text in titles)


@pytest.mark.parametrize("response", ["<" * 100_000, "\n" * 100_000 + "x", " " * 100_000 + "x"])
def test_a_looping_response_takes_linear_time(response):
    start = time.perf_counter()
    assert not title(response)
    assert number_bullet_lists(response, num_bullets=0)
    assert time.perf_counter() - start < 1
