"""Judges a response by its constraints, strictly and loosely, as IFEval does."""

from __future__ import annotations

from collections.abc import Sequence

from uniapl_cli.errors import UniAPLError
from uniapl_cli.types import Constraint, Verdict
from uniapl_cli.verifiers.registry import verifiers


def judge(response: str, constraints: Sequence[Constraint]) -> Verdict:
    """Return for each constraint whether `response` follows it. A blank response follows none.

    Raises UniAPLError, naming the instruction, when a verifier fails.
    """
    strict = tuple(_follows(response, constraint) for constraint in constraints)
    edits = () if all(strict) else light_edits(response)
    loose = tuple(
        followed or any(_follows(edit, constraint) for edit in edits)
        for followed, constraint in zip(strict, constraints, strict=True)
    )
    return Verdict(strict, loose)


def light_edits(response: str) -> tuple[str, ...]:
    """Return IFEval's loose variants of `response`, without itself, duplicates and blank ones.

    They are: the first line, the last line or both removed; and each of these, and the response,
    without any asterisk.
    """
    lines = response.split("\n")
    kept = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    variants = dict.fromkeys([*kept, *(text.replace("*", "") for text in kept)])
    return tuple(text for text in variants if text != response and text.strip())


def _follows(response: str, constraint: Constraint) -> bool:
    if not response.strip():
        return False
    verifier = verifiers[constraint.id].definition
    try:
        return verifier(response, **constraint.kwargs)
    except Exception as error:
        raise UniAPLError(
            f"instruction '{constraint.id}' with {dict(constraint.kwargs)} failed on a response of "
            f"{len(response)} characters: {type(error).__name__}: {error}"
        ) from error
