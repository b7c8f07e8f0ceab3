"""Judges many responses at once: trusted verifiers run here, untrusted code in the sandbox."""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from uniapl_cli.chat.thinking import strip_thinking, strip_wrapping
from uniapl_cli.errors import UniAPLError
from uniapl_cli.sandbox import Outcome, Sandbox, package_folders
from uniapl_cli.types import Constraint, Grade, Verdict
from uniapl_cli.verifiers.packages import check_packages, packages_of
from uniapl_cli.verifiers.registry import Trial, verifiers
from uniapl_cli.verifiers.verdict import Text

log = logging.getLogger("uniapl")


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one constraint. error: why there is no verdict. grade: more of it, where there is."""

    strict: bool = False
    loose: bool = False
    error: str | None = None
    grade: Grade | None = None


# Failures that are logged one by one; later ones are only counted.
LOGGED_FAILURES = 5

_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


# Indices of a case and of one of its constraints.
Place = tuple[int, int]


def start_sandbox(packages: Sequence[str] = ()) -> Sandbox:
    """Start a sandbox whose code may import these packages, which it finds loaded."""
    return Sandbox(packages=package_folders(packages), preload=packages)


@dataclass(frozen=True, slots=True)
class Case:
    """A response to judge; its thoughts are not judged. `name` is for messages."""

    response: str
    constraints: Sequence[Constraint]
    name: str = ""


class Judge:
    """Judges by all constraints. `start(packages)` makes the sandbox of code that may import these.

    Each is started with the first constraint that needs it. A verifier that fails does not stop the
    run: its verdict is False, `Verdict.errors` says why, the row is named, and `failures` counts it
    by instruction. An answer's code that waited beyond its limit of time is run once more, alone;
    `repeated` counts those.
    """

    def __init__(self, start: Callable[[Sequence[str]], Sandbox] = start_sandbox) -> None:
        self.start = start
        self.failures: Counter[str] = Counter()
        self.repeated = 0
        self._boxes: dict[tuple[str, ...], Sandbox] = {}

    def __call__(self, cases: Sequence[Case], *, loose: bool = True) -> list[Verdict]:
        """Return a verdict a case, in their order. Without `loose`, `Verdict.loose` is empty."""
        readings = [Reading(case.response, loose) for case in cases]
        opinions: dict[Place, Opinion] = {}
        trials: dict[tuple[str, ...], dict[Place, Trial]] = {}
        for row, (case, reading) in enumerate(zip(cases, readings, strict=True)):
            for column, constraint in enumerate(case.constraints):
                opinion = reading.judge(constraint)
                if isinstance(opinion, Trial):
                    trials.setdefault(packages_of(constraint.id), {})[row, column] = opinion
                else:
                    opinions[row, column] = opinion
        for packages, by_place in trials.items():
            if packages not in self._boxes:
                check_packages(cases[row].constraints[column] for row, column in by_place)
            outcomes = self._run(self._sandbox(packages), list(by_place.values()))
            for (place, trial), outcome in zip(by_place.items(), outcomes, strict=True):
                opinions[place] = _opinion(trial, outcome)
        return [self._verdict(row, case, opinions, loose) for row, case in enumerate(cases)]

    def _run(self, box: Sandbox, trials: Sequence[Trial]) -> list[Outcome]:
        outcomes = box.run(trial.run for trial in trials)
        for index, trial in enumerate(trials):
            if trial.read is not None and outcomes[index].waited:
                self.repeated += 1
                again = box.run([trial.run])[0]
                error = f"{again.error}, twice" if again.waited else again.error
                outcomes[index] = replace(again, error=error)
        return outcomes

    def _verdict(
        self, row: int, case: Case, opinions: Mapping[Place, Opinion], loose: bool
    ) -> Verdict:
        mine = [opinions[row, column] for column in range(len(case.constraints))]
        for constraint, opinion in zip(case.constraints, mine, strict=True):
            if opinion.error is not None:
                self._report(case.name, constraint.id, opinion.error)
        return Verdict(
            tuple(opinion.strict for opinion in mine),
            tuple(opinion.loose for opinion in mine) if loose else (),
            tuple(opinion.error for opinion in mine),
            tuple(opinion.grade for opinion in mine),
        )

    def _report(self, name: str, id: str, error: str) -> None:
        self.failures[id] += 1
        if self.failures.total() <= LOGGED_FAILURES:
            log.warning("%s: '%s' could not judge the response: %s", name, id, error)

    def _sandbox(self, packages: tuple[str, ...]) -> Sandbox:
        if packages not in self._boxes:
            self._boxes[packages] = self.start(packages)
        return self._boxes[packages]

    def close(self) -> None:
        """Stop the sandboxes that were started."""
        while self._boxes:
            self._boxes.popitem()[1].close()


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

    def judge(self, constraint: Constraint) -> Opinion | Trial:
        """Judge by a verifier, or return what must run first; if it fails, the opinion says why."""
        if not self.answer.strip():
            return Opinion(grade=Grade(False, None, "the response is blank"))
        traits = verifiers[constraint.id].traits
        text = self.unwrapped if constraint.unwrap or traits.get("unwrap") else self.whole
        try:
            found = text.judged(constraint)
            if isinstance(found, Trial):
                return found
            if isinstance(found, Grade):
                return Opinion(found.correct, found.correct, None, found)
            return Opinion(found, found or (self.loose and text.follows_edited(constraint)))
        except UniAPLError as error:
            return Opinion(error=str(error))


def _opinion(trial: Trial, outcome: Outcome) -> Opinion:
    """Read what a trial came to; it judges strictly only."""
    right, error = bool(outcome.value), outcome.error
    if trial.read is not None:
        said = outcome.reason or _last_line(outcome.output) or "not equal"
        reason = error or ("" if right else said)
        return Opinion(right, right, None, Grade(right, trial.read, reason))
    if error and (module := _MISSING.match(error)) and module[1] not in sys.stdlib_module_names:
        error = (
            f"needs the package '{module[1]}'; if you trust it, allow it with "
            f"sandbox.packages=[{module[1]}]"
        )
    return Opinion(right, right, error)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][:200]
