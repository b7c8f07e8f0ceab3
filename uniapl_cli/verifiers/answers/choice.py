"""answer:choice: the letter of the option that a response chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import ascii_uppercase
from typing import Annotated, Literal

from pydantic import Field

from uniapl_cli.types import Grade
from uniapl_cli.verifiers.answers.letters import announced, chinese, three_levels
from uniapl_cli.verifiers.registry import verifiers

Rule = Literal["announced", "three_levels", "chinese"]
READERS: Mapping[Rule, Callable[[str, str], str | None]] = {
    "announced": announced,
    "three_levels": lambda response, letters: three_levels(response),
    "chinese": chinese,
}


def _is_an_option(answer: str, options: int, **_: object) -> None:
    if answer not in ascii_uppercase[:options]:
        last = ascii_uppercase[options - 1]
        raise ValueError(f"answer = {answer!r}: of {options} options it is one of A to {last}")


@verifiers.register("answer:choice", sensible=_is_an_option)
def choice(
    response: str,
    *,
    answer: Annotated[str, Field(pattern="^[A-Z]$")],
    options: Annotated[int, Field(ge=2, le=26)] = 4,
    rule: Rule = "announced",
) -> Grade:
    """The option that is chosen, of A and the letters behind it, is `answer`.

    rule: `announced`, the last "Answer: X"; `three_levels`, MMLU-Pro's; `chinese`, the last
    "答案：X" or else CMMLU's phrases.
    """
    letter = READERS[rule](response, ascii_uppercase[:options])
    if letter is None:
        return Grade(False, None, "no option is chosen")
    return Grade(letter == answer, letter, "" if letter == answer else f"the answer is {answer}")
