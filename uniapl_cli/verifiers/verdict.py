"""Judges a response by its constraints, strictly and loosely, as IFEval does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from uniapl_cli.errors import UniAPLError
from uniapl_cli.types import Constraint, Grade, Verdict
from uniapl_cli.verifiers.needs import lacking
from uniapl_cli.verifiers.registry import Trial, verifiers


def judge(response: str, constraints: Sequence[Constraint], *, loose: bool = True) -> Verdict:
    """Return for each constraint whether `response` follows it. A blank response follows none.

    Without `loose`, `Verdict.loose` is empty and the edits cost nothing. Raises UniAPLError, naming
    the instruction, when a verifier fails.
    """
    text = Text(response)
    strict = tuple(text.follows(constraint) for constraint in constraints)
    if not loose:
        return Verdict(strict, ())
    return Verdict(
        strict,
        tuple(
            followed or text.follows_edited(constraint)
            for followed, constraint in zip(strict, constraints, strict=True)
        ),
    )


class Text:
    """A text that is judged, with its light edits, made once and only where they are needed."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def edits(self) -> tuple[str, ...]:
        """The light edits."""
        return light_edits(self.text)

    def judged(self, constraint: Constraint) -> bool | Grade | Trial:
        """Return what a constraint's verifier says. Raises UniAPLError when it fails."""
        return _judged(self.text, constraint)

    def follows(self, constraint: Constraint) -> bool:
        """Whether the text follows a constraint that needs no sandbox. Raises UniAPLError."""
        found = self.judged(constraint)
        assert not isinstance(found, Trial), "it needs the sandbox: judge through Judge"
        return found.correct if isinstance(found, Grade) else found

    def follows_edited(self, constraint: Constraint) -> bool:
        """Whether an edit of the text follows a constraint. Raises UniAPLError likewise."""
        return any(_judged(edit, constraint) for edit in self.edits)


def light_edits(response: str) -> tuple[str, ...]:
    """Return IFEval's loose variants of `response`, without itself, duplicates and blank ones.

    They are: the first line, the last line or both removed; and each of these, and the response,
    without any asterisk.
    """
    lines = response.split("\n")
    kept = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    variants = dict.fromkeys([*kept, *(text.replace("*", "") for text in kept)])
    return tuple(text for text in variants if text != response and text.strip())


def _judged(response: str, constraint: Constraint) -> bool | Grade | Trial:
    if not response or response.isspace():
        return False
    if (reason := lacking(constraint.id)) is not None:
        raise reason
    verifier = verifiers[constraint.id].definition
    try:
        return verifier(response, **constraint.kwargs)
    except Exception as error:
        raise UniAPLError(
            f"instruction '{constraint.id}' with {dict(constraint.kwargs)} failed on a response of "
            f"{len(response)} characters: {type(error).__name__}: {error}"
        ) from error
