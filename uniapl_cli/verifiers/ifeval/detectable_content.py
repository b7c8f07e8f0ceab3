"""detectable_content:* of IFEval: placeholders, a postscript."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import NonNegativeInt

from uniapl_cli.verifiers.kwargs import compiles
from uniapl_cli.verifiers.patterns import occurs
from uniapl_cli.verifiers.registry import verifiers

_POSTSCRIPTS = {"P.S.": re.compile(r"p\.\s?s\."), "P.P.S": re.compile(r"p\.\s?p\.\s?s")}


def _postscript(marker: str) -> str:
    return marker.strip().lower()


@verifiers.register("detectable_content:number_placeholders")
def number_placeholders(response: str, *, num_placeholders: NonNegativeInt) -> bool:
    """At least `num_placeholders` placeholders, `[anything on one line]`, occur."""
    return sum(map(_brackets, response.split("\n"))) >= num_placeholders


@verifiers.register("detectable_content:postscript")
def postscript(response: str, *, postscript_marker: Annotated[str, compiles(_postscript)]) -> bool:
    """The marker, a regular expression, occurs; "P.S." and "P.P.S" may have spaces in them."""
    marker = postscript_marker.strip()
    if marker in _POSTSCRIPTS:
        return _POSTSCRIPTS[marker].search(response.lower()) is not None
    return occurs(marker.lower(), response.lower())


def _brackets(line: str) -> int:
    """Count `\\[.*?\\]` in linear time: a response that loops on "[" must not stall a run."""
    count, at = 0, 0
    while (left := line.find("[", at)) >= 0 and (right := line.find("]", left)) >= 0:
        count, at = count + 1, right + 1
    return count
