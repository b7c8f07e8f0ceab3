"""detectable_format:* of IFEval: bullets, highlights, sections, a title, JSON, a fixed answer."""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.kwargs import compiles
from uniapl_cli.verifiers.patterns import parts
from uniapl_cli.verifiers.registry import verifiers

_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
# The leading space stops at the line's end, so that a run of blank lines costs no quadratic time.
_STARS = re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE)
_DASHES = re.compile(r"^[^\S\n]*-.*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*[^\n*]*\*")
_BOLD = re.compile(r"\*\*[^\n*]*\*\*")


_BEFORE, _AFTER = r"\s?", r"\s?\d+\s?"  # of a section's heading


def _heading(spliter: str) -> str:
    return _BEFORE + spliter.strip() + _AFTER


@verifiers.register("detectable_format:number_bullet_lists")
def number_bullet_lists(response: str, *, num_bullets: NonNegativeInt) -> bool:
    """Exactly `num_bullets` lines start with `*` or `-`; a `---` rule does, `**bold**` does not."""
    return len(_STARS.findall(response)) + len(_DASHES.findall(response)) == num_bullets


@verifiers.register("detectable_format:constrained_response")
def constrained_response(response: str) -> bool:
    """One of the three allowed answers occurs; other text may surround it."""
    return any(answer in response for answer in _ANSWERS)


@verifiers.register("detectable_format:number_highlighted_sections")
def number_highlighted_sections(response: str, *, num_highlights: NonNegativeInt) -> bool:
    """At least `num_highlights` `*highlights*` or `**highlights**`, on one line, not blank."""
    highlights = _HIGHLIGHT.findall(response) + _BOLD.findall(response)
    return sum(bool(text.strip("*").strip()) for text in highlights) >= num_highlights


@verifiers.register("detectable_format:multiple_sections")
def multiple_sections(
    response: str,
    *,
    section_spliter: Annotated[str, compiles(_heading)],
    num_sections: NonNegativeInt,
) -> bool:
    """The heading, a case-sensitive regex, occurs with a number, at least `num_sections` times."""
    sections = parts(section_spliter.strip(), response, before=_BEFORE, after=_AFTER)
    return len(sections) - 1 >= num_sections


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


def _titled(line: str) -> bool:
    """Search `<<[^\\n]+>>` in linear time: a response that loops on "<" must not stall a run."""
    left, right = line.find("<<"), line.rfind(">>")
    if left < 0 or right < left + 3:
        return False
    return bool(line[left : right + 2].lstrip("<").rstrip(">").strip())
