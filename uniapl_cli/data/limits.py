"""The limits on lengths in tokens: rows that are too long are dropped, cut or refused."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from uniapl_cli.data.encode import Answer, Encoded, Ids
from uniapl_cli.data.options import Overlong
from uniapl_cli.errors import DataError

log = logging.getLogger("uniapl")

LEFT_OUT = "rows are too long and were left out"
CUT = "responses are too long and are cut at their end, without a stop token"


@dataclass(frozen=True)
class Limits:
    """Most tokens of a row. `answer`: of the policy's own responses, 0 if it gives none."""

    prompt: int
    response: int
    answer: int
    context: int

    def broken(self, prompt: int, response: int, name: str = "response") -> DataError | None:
        """Return the error of the limit that a row's lengths in tokens break, or None.

        `name` is what the message calls the answer.
        """
        if prompt > self.prompt:
            problem = f"the prompt has {prompt} tokens, data.max_prompt_tokens is {self.prompt}"
            return DataError(problem, key="data.max_prompt_tokens", got=prompt)
        if response > self.response:
            problem = (
                f"the {name} has {response} tokens, data.max_response_tokens is {self.response}"
            )
            return DataError(problem, key="data.max_response_tokens", got=response)
        longest = max(response, self.answer)
        if prompt + longest > self.context:
            source = "of response" if response > self.answer else "of sampling.max_new_tokens"
            problem = f"{prompt} tokens of prompt and {longest} {source} exceed the model's context"
            if not longest:
                problem = f"the prompt's {prompt} tokens exceed the model's context"
            problem += f" of {self.context}"
            return DataError(problem, got=prompt + longest)
        return None

    def cut(self, item: Encoded) -> Encoded:
        """Cut a response to its limit and to what the prompt leaves of the context.

        The stop token is cut off too, since the teacher did not stop there.
        """
        assert item.response is not None, "only a response is cut"
        length = min(self.response, self.context - len(item.prompt))
        return replace(item, response=item.response[:length])


def fit(
    items: Sequence[Encoded],
    limits: Limits,
    overlong: Overlong,
    answers: Sequence[Answer] = (),
) -> list[Encoded]:
    """Return the items whose prompt, and those of `answers` that they have, fit the limits.

    `overlong` decides about a longer one: an error, left out, or its response cut; the last two are
    counted and logged. Prompts are never cut, nor are preference answers: the label belongs to the
    full text. Raises DataError, also if nothing is left.
    """
    kept: list[Encoded] = []
    counts: Counter[str] = Counter()
    first: dict[str, DataError] = {}
    for item in items:
        broken = _broken(item, limits, answers)
        if broken is None:
            kept.append(item)
            continue
        curable = "rejected" not in answers and _broken(item, limits, answers, cut=True) is None
        if overlong == "error":
            cure = "drop or truncate" if curable else "drop"
            broken.advice = f"Shorten it, or set data.overlong={cure}"
            raise broken
        fate = CUT if curable and overlong == "truncate" else LEFT_OUT
        counts[fate] += 1
        first.setdefault(fate, broken)
        if fate == CUT:
            kept.append(limits.cut(item))
    for fate, count in counts.items():
        log.warning("%d of %d %s; the first: %s", count, len(items), fate, first[fate])
    if not kept:
        error = first[LEFT_OUT]
        error.problem += f"; all {len(items)} rows are too long: nothing is left to train on"
        raise error
    return kept


def _broken(
    item: Encoded, limits: Limits, answers: Sequence[Answer], *, cut: bool = False
) -> DataError | None:
    """Return the error that a row is too long, or None. With `cut`: of the row after cutting."""
    errors = [limits.broken(len(item.prompt), 0)]
    for name in answers:
        ids: Ids[int] | None = getattr(item, name)
        if ids is not None:
            label = "response" if name == "response" else "rejected response"
            errors.append(limits.broken(len(item.prompt), 1 if cut else len(ids), label))
    broken = next((error for error in errors if error is not None), None)
    return None if broken is None else broken.at(item.example.origin)
