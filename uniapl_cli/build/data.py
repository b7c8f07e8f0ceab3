"""Files named in a config to checked examples."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uniapl_cli.chat import Chat
from uniapl_cli.config import schema
from uniapl_cli.data import Examples, Rows, Tolerance, check, layout_of, layouts, open_rows
from uniapl_cli.data.collate import Answer
from uniapl_cli.data.layouts import Layout
from uniapl_cli.errors import ConfigError, DataError, ModelError
from uniapl_cli.files import write_rows
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Example
from uniapl_cli.verifiers import constraints

log = logging.getLogger("uniapl")

LEFT_OUT = "rows are too long and were left out"
CUT = "responses are too long and are cut at their end, without a stop token"


def opened(config: schema.Config, name: str) -> tuple[Rows, Layout]:
    """Open a data set and find its layout, without reading it through."""
    rows = open_rows(resolve(name), config.data.split)
    return rows, layouts[layout_of(rows, config.data.layout)].make


def examples(config: schema.Config, name: str) -> Examples:
    """Check a data set row by row; what is returned is read again when it is asked for.

    Bad rows beyond `data.tolerance` raise DataError; those within it are counted, reported and
    written to `data.bad_rows`.
    """
    rows, read = opened(config, name)
    tolerance = tolerated(config)
    found = check(rows, read, constraints, tolerance)
    report_bad(config, tolerance)
    if not found:
        raise DataError(f"'{rows.name}' has no good rows")
    return found


def tolerated(config: schema.Config) -> Tolerance:
    """Return the config's tolerance of bad rows. Raises ConfigError if they would be lost."""
    if config.data.tolerance > 0 and config.data.bad_rows is None:
        raise ConfigError("data.tolerance is set: say where bad rows go with data.bad_rows=FILE")
    return Tolerance(config.data.tolerance)


def report_bad(config: schema.Config, tolerance: Tolerance) -> None:
    """Write the bad rows to their file and say how many there were."""
    if tolerance.bad and config.data.bad_rows is not None:
        write_rows(Path(config.data.bad_rows), tolerance.rows())
        log.warning("%d bad rows are in '%s'", len(tolerance.bad), config.data.bad_rows)


@dataclass(frozen=True)
class Limits:
    """What a row may hold. `answer` is how long the policy's own responses may get, 0 for none."""

    prompt: int
    response: int
    answer: int
    context: int

    def broken(self, prompt: int, response: int, name: str = "response") -> str | None:
        """Say which limit a row's lengths in tokens break, or None; `name` is the response's."""
        if prompt > self.prompt:
            return f"the prompt has {prompt} tokens, data.max_prompt_tokens is {self.prompt}"
        if response > self.response:
            return f"the {name} has {response} tokens, data.max_response_tokens is {self.response}"
        if prompt + max(response, self.answer) > self.context:
            longer = "of response" if response > self.answer else "of sampling.max_new_tokens"
            return (
                f"{prompt} tokens of prompt and {max(response, self.answer)} {longer} exceed the "
                f"model's context of {self.context}"
            )
        return None


def fitting(
    chat: Chat,
    given: Examples,
    limits: Limits,
    overlong: Literal["error", "drop", "truncate"],
    answers: Sequence[Answer] = (),
) -> Examples:
    """Return the examples that fit the limits, by their prompt and those of `answers` they have.

    As `overlong` says, a longer one is an error, or is left out, or stays to have its response cut
    when it is encoded; these are counted and reported. A prompt is never cut.
    """
    kept: list[int] = []
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for place, example in enumerate(given):
        broken = _broken(chat, example, limits, answers)
        if broken is None:
            kept.append(place)
            continue
        # A judged answer, cut, is not the one that was judged.
        judged = "rejected" in answers
        curable = not judged and _broken(chat, example, limits, answers, cut=True) is None
        if overlong == "error":
            cure = "drop or truncate" if curable else "drop"
            raise DataError(f"{example.origin}: {broken}: shorten it, or set data.overlong={cure}")
        fate = CUT if curable and overlong == "truncate" else LEFT_OUT
        counts[fate] += 1
        first.setdefault(fate, f"{example.origin}: {broken}")
        if fate == CUT:
            kept.append(place)
    for fate, count in counts.items():
        log.warning("%d of %d %s; the first: %s", count, len(given), fate, first[fate])
    if not kept:
        raise DataError(
            f"all {len(given)} rows are too long: nothing is left to train on; the first: "
            f"{first[LEFT_OUT]}"
        )
    return given.select(kept)


def _broken(
    chat: Chat, example: Example, limits: Limits, answers: Sequence[Answer], *, cut: bool = False
) -> str | None:
    """Say what makes a row too long, or None; `cut` says it of the row once it is cut."""
    try:
        prompt = len(chat.prompt_ids(example.prompt))
    except ModelError as error:
        raise DataError(f"{example.origin}: {error}") from None
    reasons = [limits.broken(prompt, 0)]
    for name in answers:
        if (text := getattr(example, name)) is not None:
            said = "response" if name == "response" else "rejected response"
            length = 1 if cut else len(chat.response_ids(text))
            reasons.append(limits.broken(prompt, length, said))
    return next((reason for reason in reasons if reason is not None), None)


def check_answers(given: Sequence[Example], source: str, why: str) -> None:
    """Refuse examples without the answers that choices or labels need. Raises DataError."""
    for example in given:
        there = (example.response is not None, example.rejected is not None)
        if source == "choices" and not all(there):
            lacking = "chosen" if there[1] else "rejected"
            raise DataError(
                f"{example.origin}: no {lacking} answer, and {why} compares two: 'chosen' and "
                "'rejected' are needed (completions with a label are for KTO)"
            )
        if not any(there):
            raise DataError(
                f"{example.origin}: no answer, and {why} learns from them: 'completion' and "
                "'label', or 'chosen' and 'rejected', are needed"
            )
    first = given[0].prompt
    if source == "labels" and all(example.prompt == first for example in given):
        raise DataError(
            f"{given[0].origin}: all rows have the same prompt, and {why} holds each prompt "
            "against the answer to another"
        )


def check_columns(given: Sequence[Example], needs: dict[str, bool], why: str) -> None:
    """Refuse examples that lack what the active terms need. Raises DataError."""
    for example in given:
        if needs.get("teacher") and example.response is None:
            raise DataError(
                f"{example.origin}: no 'response' by the teacher, which {why} compares with; "
                "run uniapl teacher-gen on these prompts"
            )
        if needs.get("reference") and example.reference is None:
            raise DataError(
                f"{example.origin}: no 'reference', the data set's own answer, which {why} "
                "compares with"
            )
        if needs.get("constraints") and not example.constraints:
            raise DataError(f"{example.origin}: no constraints, so {why} has nothing to verify")
