"""What a rollout is judged by: one function a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from uniapl_cli.discriminators import Discriminator, coefficient
from uniapl_cli.errors import DataError
from uniapl_cli.registry import Registry
from uniapl_cli.types import Comparison, Rollout
from uniapl_cli.verifiers import Case, Judge, strip_thinking

# (rollouts, *, options) -> one finite number a rollout. facts: teacher=True where the examples must
# carry the teacher's response, constraints=True where they must carry constraints.
Score = Callable[..., list[float]]
scores: Registry[Score] = Registry("score")


@scores.register("verifier", constraints=True)
def verifier(
    rollouts: Sequence[Rollout],
    *,
    judge: Judge,
    mode: Literal["all", "fraction"] = "all",
    errors: Literal["fail", "skip"] = "fail",
    require_stop: bool = False,
) -> list[float]:
    """1 when all verification functions pass, else 0 (the paper); or the fraction that passes.

    A function that fails counts as not passed, or is left out with `errors: skip`, as AutoIF's own
    filter does. With `require_stop`, a response cut off at max_new_tokens earns 0.
    """
    cases = [
        Case(r.completion.text, r.example.constraints, r.example.origin or r.example.id)
        for r in rollouts
    ]
    values = []
    for rollout, verdict in zip(rollouts, judge(cases), strict=True):
        heard = zip(verdict.strict, verdict.errors, strict=True)
        passed = [ok for ok, error in heard if error is None or errors == "fail"] or [False]
        share = sum(passed) / len(passed) if mode == "fraction" else float(all(passed))
        cut_off = require_stop and rollout.completion.finish_reason != "stop"
        values.append(0.0 if cut_off else share)
    return values


@scores.register("polar", teacher=True)
def polar(
    rollouts: Sequence[Rollout], *, discriminator: Discriminator, centre: bool = False
) -> list[float]:
    """The discriminator's score r of the rollout against the teacher's response.

    With `centre`, minus its score of the teacher's response against itself, so that 0 means "as
    close as can be".
    """
    values = discriminator.score([comparison(r, r.completion.text) for r in rollouts])
    if not centre:
        return values
    unique = {r.example.id: r for r in rollouts}
    own = discriminator.score([comparison(r, str(r.example.response)) for r in unique.values()])
    best = dict(zip(unique, own, strict=True))
    return [v - best[r.example.id] for v, r in zip(values, rollouts, strict=True)]


@scores.register("coef", teacher=True)
def coef(
    rollouts: Sequence[Rollout], *, discriminator: Discriminator, centre: bool = False
) -> list[float]:
    """The anchor: 1 - 8 (sigmoid(r) - 0.5)^2 of the score above. Paper, Algorithm 1."""
    return [coefficient(r) for r in polar(rollouts, discriminator=discriminator, centre=centre)]


def comparison(rollout: Rollout, candidate: str) -> Comparison:
    """Return what the discriminator compares: the candidate with the teacher's response."""
    example = rollout.example
    if example.response is None:
        raise DataError(f"{example.origin}: no teacher 'response' to compare a rollout with")
    return Comparison(
        prompt=example.prompt_text,
        reference=strip_thinking(example.response),
        candidate=strip_thinking(candidate),
        id=example.origin or example.id,
    )
