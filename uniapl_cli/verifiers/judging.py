"""Judge many responses at once, by trusted functions here and by untrusted ones in the sandbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from uniapl_cli.errors import UniAPLError
from uniapl_cli.sandbox import Call, Sandbox
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.verifiers.instructions import verifiers
from uniapl_cli.verifiers.verdict import judge, strip_thinking

log = logging.getLogger("uniapl")

# strict, loose, and why there is no verdict.
Opinion = tuple[bool, bool, str | None]

# Failures that are told one by one; the others are only counted.
TOLD = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A response to judge. A think block before it is left out. `name` is for messages."""

    response: str
    constraints: Sequence[Constraint]
    name: str = ""


class Judge:
    """Judges by all constraints. The sandbox starts when the first untrusted function is met.

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
        wanted = [
            (place, index, Call(str(constraint.kwargs["source"]), args=(texts[place],)))
            for place, case in enumerate(cases)
            for index, constraint in enumerate(case.constraints)
            if sandboxed(constraint) and texts[place].strip()
        ]
        outcomes = self._sandbox().run(call for _, _, call in wanted) if wanted else []
        ran: dict[tuple[int, int], Opinion] = {
            (place, index): (bool(outcome.value), bool(outcome.value), outcome.error)
            for (place, index, _), outcome in zip(wanted, outcomes, strict=True)
        }
        return [self._verdict(place, case, texts[place], ran) for place, case in enumerate(cases)]

    def _verdict(
        self, place: int, case: Case, text: str, ran: Mapping[tuple[int, int], Opinion]
    ) -> Verdict:
        trusted = iter(_trusted(text, [c for c in case.constraints if not sandboxed(c)]))
        silent: Opinion = (False, False, None)
        opinions = [
            ran.get((place, index), silent) if sandboxed(constraint) else next(trusted)
            for index, constraint in enumerate(case.constraints)
        ]
        for constraint, (_, _, error) in zip(case.constraints, opinions, strict=True):
            if error is not None:
                self._report(case.name, constraint.id, error)
        strict, loose, errors = zip(*opinions, strict=True) if opinions else ((), (), ())
        return Verdict(strict, loose, errors)

    def _report(self, name: str, id: str, error: str) -> None:
        self.failures[id] += 1
        if self.failures.total() <= TOLD:
            log.warning("%s: '%s' could not judge the response: %s", name, id, error)

    def _sandbox(self) -> Sandbox:
        if self._box is None:
            self._box = self.start()
        return self._box

    def close(self) -> None:
        """End the sandbox, if it was started."""
        if self._box is not None:
            self._box.close()
            self._box = None


def sandboxed(constraint: Constraint) -> bool:
    """Whether a constraint is untrusted code."""
    return bool(verifiers[constraint.id].traits.get("sandboxed"))


def _trusted(text: str, constraints: Sequence[Constraint]) -> list[Opinion]:
    """Judge by our own verifiers; where one fails, the others are still heard."""
    try:
        verdict = judge(text, constraints)
    except UniAPLError as error:
        if len(constraints) == 1:
            return [(False, False, str(error))]
        return [opinion for c in constraints for opinion in _trusted(text, [c])]
    return [(s, lenient, None) for s, lenient in zip(verdict.strict, verdict.loose, strict=True)]
