"""Judges many responses at once: trusted verifiers run here, untrusted code in the sandbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from uniapl_cli.chat.thinking import strip_thinking
from uniapl_cli.errors import UniAPLError
from uniapl_cli.sandbox import Call, Sandbox
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.verdict import judge

log = logging.getLogger("uniapl")

# strict, loose, and the error if there is no verdict.
Opinion = tuple[bool, bool, str | None]

# Failures that are logged one by one; later ones are only counted.
LOGGED_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A response to judge, without the think block before it. `name` is for messages."""

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

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict a case, in their order."""
        texts = [strip_thinking(case.response) for case in cases]
        calls = [
            (row, column, Call(str(constraint.kwargs["source"]), args=(texts[row],)))
            for row, case in enumerate(cases)
            for column, constraint in enumerate(case.constraints)
            if sandboxed(constraint) and texts[row].strip()
        ]
        outcomes = self._sandbox().run(call for _, _, call in calls) if calls else []
        untrusted: dict[tuple[int, int], Opinion] = {
            (row, column): (bool(outcome.value), bool(outcome.value), outcome.error)
            for (row, column, _), outcome in zip(calls, outcomes, strict=True)
        }
        return [self._verdict(row, case, texts[row], untrusted) for row, case in enumerate(cases)]

    def _verdict(
        self, row: int, case: Case, text: str, untrusted: Mapping[tuple[int, int], Opinion]
    ) -> Verdict:
        trusted = iter(_trusted(text, [c for c in case.constraints if not sandboxed(c)]))
        blank: Opinion = (False, False, None)
        opinions = [
            untrusted.get((row, column), blank) if sandboxed(constraint) else next(trusted)
            for column, constraint in enumerate(case.constraints)
        ]
        for constraint, (_, _, error) in zip(case.constraints, opinions, strict=True):
            if error is not None:
                self._report(case.name, constraint.id, error)
        strict, loose, errors = zip(*opinions, strict=True) if opinions else ((), (), ())
        return Verdict(strict, loose, errors)

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


def sandboxed(constraint: Constraint) -> bool:
    """Whether a constraint is untrusted code."""
    return bool(verifiers[constraint.id].traits.get("sandboxed"))


def _trusted(text: str, constraints: Sequence[Constraint]) -> list[Opinion]:
    """Judge by our own verifiers; if one fails, the others still give their verdicts."""
    try:
        verdict = judge(text, constraints)
    except UniAPLError as error:
        if len(constraints) == 1:
            return [(False, False, str(error))]
        return [opinion for c in constraints for opinion in _trusted(text, [c])]
    return [(s, lenient, None) for s, lenient in zip(verdict.strict, verdict.loose, strict=True)]
