"""Judges many responses at once: trusted verifiers run here, untrusted code in the sandbox."""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from uniapl_cli.chat.thinking import strip_thinking, strip_wrapping
from uniapl_cli.errors import UniAPLError
from uniapl_cli.sandbox import Call, Outcome, Sandbox
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.verdict import Text

log = logging.getLogger("uniapl")

# strict, loose, and the error if there is no verdict.
Opinion = tuple[bool, bool, str | None]

# Failures that are logged one by one; later ones are only counted.
LOGGED_FAILURES = 5

_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


@dataclass(frozen=True, slots=True)
class Case:
    """A response to judge; its thoughts are not judged. `name` is for messages."""

    response: str
    constraints: Sequence[Constraint]
    name: str = ""


class Judge:
    """Judges by all constraints. The sandbox starts with the first untrusted constraint.

    A verifier that fails does not stop the run: its verdict is False, `Verdict.errors` says why,
    the row is named, and `failures` counts it by instruction.
    """

    def __init__(self, start: Callable[[], Sandbox] = Sandbox) -> None:
        self.start = start
        self.failures: Counter[str] = Counter()
        self._box: Sandbox | None = None

    def __call__(self, cases: Sequence[Case], *, loose: bool = True) -> list[Verdict]:
        """Return a verdict a case, in their order. Without `loose`, `Verdict.loose` is empty."""
        readings = [Reading(case.response, loose) for case in cases]
        calls = [
            (row, column, Call(str(constraint.kwargs["source"]), args=(readings[row].answer,)))
            for row, case in enumerate(cases)
            for column, constraint in enumerate(case.constraints)
            if sandboxed(constraint) and readings[row].answer.strip()
        ]
        outcomes = self._sandbox().run(call for _, _, call in calls) if calls else []
        untrusted = {
            (row, column): _opinion(outcome)
            for (row, column, _), outcome in zip(calls, outcomes, strict=True)
        }
        return [
            self._verdict(row, case, readings[row], untrusted) for row, case in enumerate(cases)
        ]

    def _verdict(
        self, row: int, case: Case, reading: Reading, untrusted: Mapping[tuple[int, int], Opinion]
    ) -> Verdict:
        blank: Opinion = (False, False, None)
        opinions = [
            untrusted.get((row, column), blank) if sandboxed(one) else reading.judge(one)
            for column, one in enumerate(case.constraints)
        ]
        for constraint, (_, _, error) in zip(case.constraints, opinions, strict=True):
            if error is not None:
                self._report(case.name, constraint.id, error)
        strict, lenient, errors = zip(*opinions, strict=True) if opinions else ((), (), ())
        return Verdict(strict, lenient if reading.loose else (), errors)

    def _report(self, name: str, id: str, error: str) -> None:
        self.failures[id] += 1
        if self.failures.total() <= LOGGED_FAILURES:
            log.warning("%s: '%s' could not judge the response: %s", name, id, error)

    def _sandbox(self) -> Sandbox:
        if self._box is None:
            self._box = self.start()
        return self._box

    def close(self) -> None:
        """Stop the sandbox if it was started."""
        if self._box is not None:
            self._box.close()
            self._box = None


class Reading:
    """A response as its verifiers read it: without thoughts, and for some without its wrapping."""

    def __init__(self, response: str, loose: bool) -> None:
        self.answer, self.loose = strip_thinking(response), loose
        self.whole = Text(self.answer)

    @cached_property
    def unwrapped(self) -> Text:
        """The answer without `<answer>` tags, as open-instruct takes it out before it judges."""
        text = strip_wrapping(self.answer)
        return self.whole if text == self.answer else Text(text)

    def judge(self, constraint: Constraint) -> Opinion:
        """Judge by one of our own verifiers; if it fails, the opinion says why."""
        unwrap = constraint.unwrap or verifiers[constraint.id].traits.get("unwrap")
        text = self.unwrapped if unwrap else self.whole
        try:
            strict = text.follows(constraint)
            return strict, strict or (self.loose and text.follows_edited(constraint)), None
        except UniAPLError as error:
            return False, False, str(error)


def sandboxed(constraint: Constraint) -> bool:
    """Whether a constraint is untrusted code."""
    return bool(verifiers[constraint.id].traits.get("sandboxed"))


def _opinion(outcome: Outcome) -> Opinion:
    """Read what a data set's function returned; it judges strictly only."""
    error = outcome.error
    if error and (module := _MISSING.match(error)) and module[1] not in sys.stdlib_module_names:
        error = (
            f"needs the package '{module[1]}'; if you trust it, allow it with "
            f"sandbox.packages=[{module[1]}]"
        )
    return bool(outcome.value), bool(outcome.value), error
