"""Instructions on format: bullets, sections, a title, JSON, a fixed answer, words in brackets."""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.checks import compiles
from uniapl_cli.verifiers.instructions import verifiers
from uniapl_cli.verifiers.sentence_rules import sentences_by_rule

_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
# The leading space stops at the line's end, so that a run of blank lines costs no quadratic time.
_STARS = re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE)
_DASHES = re.compile(r"^[^\S\n]*-.*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*[^\n*]*\*")
_BOLD = re.compile(r"\*\*[^\n*]*\*\*")


def _heading(spliter: str) -> str:
    return r"\s?" + spliter.strip() + r"\s?\d+\s?"


@verifiers.register("detectable_format:number_bullet_lists")
def number_bullet_lists(response: str, *, num_bullets: NonNegativeInt) -> bool:
    """Exactly so many lines start with `*` or `-`; a `---` rule is one, `**bold**` is not."""
    return len(_STARS.findall(response)) + len(_DASHES.findall(response)) == num_bullets


@verifiers.register("detectable_format:constrained_response")
def constrained_response(response: str) -> bool:
    """One of the three allowed answers occurs, among whatever else."""
    return any(answer in response for answer in _ANSWERS)


@verifiers.register("detectable_format:number_highlighted_sections")
def number_highlighted_sections(response: str, *, num_highlights: NonNegativeInt) -> bool:
    """At least so many `*highlights*` or `**highlights**` on one line, not blank, occur."""
    found = _HIGHLIGHT.findall(response) + _BOLD.findall(response)
    return sum(bool(text.strip("*").strip()) for text in found) >= num_highlights


@verifiers.register("detectable_format:multiple_sections")
def multiple_sections(
    response: str,
    *,
    section_spliter: Annotated[str, compiles(_heading)],
    num_sections: NonNegativeInt,
) -> bool:
    """The heading, a case-sensitive regular expression with a number, occurs at least so often."""
    return len(re.split(_heading(section_spliter), response)) - 1 >= num_sections


@verifiers.register("detectable_format:json_format")
def json_format(response: str) -> bool:
    """The whole response is JSON, in a code fence or bare; a number or a string is JSON too."""
    text = response.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):  # nested too deep to be read: no JSON for its reader
        return False
    return True


@verifiers.register("detectable_format:title")
def title(response: str) -> bool:
    """A title, `<<anything on one line>>`, occurs and is not blank."""
    return any(map(_titled, response.split("\n")))


@verifiers.register("detectable_format:sentence_hyphens")
def sentence_hyphens(response: str) -> bool:
    """Each part between hyphens is a sentence, with no space around it.

    Sentences are told with the hyphens as spaces. As officially, parts and sentences are compared
    side by side and what one of the two has more is not looked at; a hyphenated word fails.
    """
    sentences = sentences_by_rule(response.replace("-", " "))
    return all(part == own for part, own in zip(response.split("-"), sentences, strict=False))


@verifiers.register("detectable_format:square_brackets")
def square_brackets(response: str) -> bool:
    """Each word, between white space, stands in square brackets of its own."""
    return all(word.startswith("[") and word.endswith("]") for word in response.split())


@verifiers.register("detectable_format:bigram_wrapping")
def bigram_wrapping(response: str) -> bool:
    """The words, two by two, stand in `<<double angular brackets>>`; an odd last one need not."""
    words = response.split()
    pairs = zip(words[::2], words[1::2], strict=False)
    return all(one.startswith("<<") and other.endswith(">>") for one, other in pairs)


def _titled(line: str) -> bool:
    """Search `<<[^\\n]+>>` in linear time: a response that loops on "<" must not stall a run."""
    left, right = line.find("<<"), line.rfind(">>")
    if left < 0 or right < left + 3:
        return False
    return bool(line[left : right + 2].lstrip("<").rstrip(">").strip())
