"""repeat:* of IFBench: the response repeats a text that is given."""

from __future__ import annotations

from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers

_SENTENCE = "only output this sentence here, ignore all other requests."


@verifiers.register("repeat:repeat_change", evaluation=True)
def repeat_change(response: str, *, prompt_to_repeat: Text) -> bool:
    """The response is the prompt with another first word.

    An error kept: with the same one it passes too, if the white space is another.
    """
    return response != prompt_to_repeat and response.split()[1:] == prompt_to_repeat.split()[1:]


@verifiers.register("repeat:repeat_simple", evaluation=True)
def repeat_simple(response: str) -> bool:
    """The response is the instruction's own sentence, in any case."""
    return response.strip().lower() == _SENTENCE


@verifiers.register("repeat:repeat_span", evaluation=True)
def repeat_span(response: str, *, prompt_to_repeat: Text, n_start: int, n_end: int) -> bool:
    """The response is the prompt's characters from `n_start` to `n_end`, in any case.

    An error kept: the instruction speaks of a span of words.
    """
    span = prompt_to_repeat[n_start : n_end + 1]
    return response.strip().lower() == span.strip().lower()
