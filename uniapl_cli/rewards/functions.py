"""What a rollout is rewarded for: one function a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from pydantic import PositiveFloat

from uniapl_cli.discriminators import (
    AnchorScores,
    CachedDiscriminator,
    anchor_scores,
    coefficient,
    compare,
)
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.objectives.kl import Estimator, estimate
from uniapl_cli.options import Options, key
from uniapl_cli.registry import Registry
from uniapl_cli.rewards.values import FunctionValues
from uniapl_cli.types import Comparison, Constraint, Rollout, Verdict
from uniapl_cli.verifiers import Case, Judge


class RewardFunctionOptions(Options):
    """The options that every reward function has."""

    weight: float = key(1.0, "its share in the reward, which is the weighted sum")


# (rollouts, *, options) -> one finite number a rollout, or FunctionValues where there is more to
# log. traits: what the examples must carry: teacher=True the teacher's response, reference=True the
# data set's own, constraints=True constraints; policy=True where the frozen reference policy is
# needed. early=True where a rollout's value depends on nothing but its text, so that it can be
# computed, in another thread, while other rollouts are still being sampled. shares="groups" where
# it depends on nothing but the rollouts to the same prompt, as it does if it is early: then several
# processes share the prompts, where else the first one computes all; "itself": see rewards.sharing.
RewardFunction = Callable[..., list[float] | FunctionValues]
reward_functions: Registry[RewardFunction] = Registry(
    "reward function",
    base=RewardFunctionOptions,
    supplied=("judge", "discriminator", "reference", "max_new_tokens", "learners"),
)

# (rollouts) -> the frozen reference's log-probability of each response token.
ReferenceLogps = Callable[[Sequence[Rollout]], list[list[float]]]
# (rollouts) -> one score each.
Scores = Callable[[Sequence[Rollout]], list[float]]


@reward_functions.register("verifier", constraints=True, early=True)
def verifier(
    rollouts: Sequence[Rollout],
    *,
    judge: Judge,
    mode: Literal["all", "fraction"] = "all",
    errors: Literal["fail", "skip"] = "fail",
    require_stop: bool = False,
) -> FunctionValues:
    """1 when all verification functions pass, else 0 (the paper); or the fraction that passes.

    `mode` says which. A function that fails counts as not passed, or is left out with
    `errors: skip`, as AutoIF's own filter does. With `require_stop`, a response cut off at
    max_new_tokens earns 0.
    """
    cases = [
        Case(r.completion.text, r.example.constraints, r.example.origin or r.example.id)
        for r in rollouts
    ]
    values, verdicts = [], judge(cases, loose=False)
    for rollout, verdict in zip(rollouts, verdicts, strict=True):
        judged = zip(verdict.strict, verdict.errors, strict=True)
        passed = [ok for ok, error in judged if error is None or errors == "fail"] or [False]
        share = sum(passed) / len(passed) if mode == "fraction" else float(all(passed))
        cut_off = require_stop and rollout.completion.finish_reason != "stop"
        values.append(0.0 if cut_off else share)
    judged_by = [(r.example.constraints, v) for r, v in zip(rollouts, verdicts, strict=True)]
    return FunctionValues(values, notes=[{"verdict": _told(*one)} for one in judged_by])


def _told(constraints: Sequence[Constraint], verdict: Verdict) -> list[dict[str, object]]:
    """Return a verdict as JSON: of each constraint what was read, and why it is not followed."""
    told: list[dict[str, object]] = []
    for index, constraint in enumerate(constraints):
        one: dict[str, object] = {"id": constraint.id, "correct": verdict.strict[index]}
        if grade := verdict.grades[index]:
            one |= {"read": grade.read, "reason": grade.reason}
        if error := verdict.errors[index]:
            one["error"] = error
        told.append(one)
    return told


@reward_functions.register("length", shares="groups")
def length(rollouts: Sequence[Rollout]) -> list[float]:
    """The response's tokens, stop token included; a weight below 0 asks for shorter ones."""
    return [float(rollout.completion.length) for rollout in rollouts]


@reward_functions.register("overlong", shares="groups")
def overlong(
    rollouts: Sequence[Rollout], *, max_new_tokens: int, buffer: PositiveFloat
) -> list[float]:
    """DAPO's soft punishment: 0, falling to -1 over the last `buffer` tokens before the longest.

    A `buffer` below 1 is a share of the longest: 0.2 is DAPO's 4096 of 20480. arXiv 2503.14476,
    eq. 13.
    """
    buffer = buffer if buffer >= 1 else buffer * max_new_tokens
    if buffer > max_new_tokens:
        raise ConfigError(
            f"overlong: buffer = {buffer:g} is more than sampling.max_new_tokens, which is "
            f"{max_new_tokens}",
            got=buffer,
        )
    over = [len(r.completion.token_ids) - (max_new_tokens - buffer) for r in rollouts]
    return [-min(max(tokens / buffer, 0.0), 1.0) for tokens in over]


@reward_functions.register("kl", policy=True, shares="itself")
def kl(
    rollouts: Sequence[Rollout],
    *,
    reference: ReferenceLogps,
    estimator: Estimator = "k1",
) -> list[float]:
    """The divergence from the frozen reference, summed over the response: KL in the reward.

    A weight of -0.001 takes 0.001 KL off the reward. `estimator` as in the objective `kl`; k1 is
    the one whose expected gradient is that of the divergence (peers recommend it here).
    """
    divergences = []
    for rollout, ref_logps in zip(rollouts, reference(rollouts), strict=True):
        own = rollout.completion.own
        d = torch.tensor(own(ref_logps)) - torch.tensor(own(rollout.completion.logps))
        divergences.append(float(estimate(d, estimator).sum()))
    return divergences


@reward_functions.register("polar", teacher=True, shares="groups")
def polar(
    rollouts: Sequence[Rollout], *, discriminator: CachedDiscriminator, centre: bool = False
) -> list[float]:
    """The discriminator's score r of the rollout against the teacher's response.

    With `centre`, minus its score of the teacher's response against itself, so that 0 means "as
    close as can be".
    """
    return teacher_anchor(rollouts, discriminator, centre).scores


@reward_functions.register("coef", teacher=True, shares="groups")
def coef(
    rollouts: Sequence[Rollout], *, discriminator: CachedDiscriminator, centre: bool = False
) -> FunctionValues:
    """The anchor: 1 - 8 (sigmoid(r) - 0.5)^2 of the score above. Paper, Algorithm 1."""
    anchored = teacher_anchor(rollouts, discriminator, centre)
    return FunctionValues(anchored.coefficients, {"r": anchored.scores})


@reward_functions.register("polar_gt", teacher=True, reference=True, shares="groups")
def polar_gt(rollouts: Sequence[Rollout], *, discriminator: CachedDiscriminator) -> FunctionValues:
    """r = r_s - r_t: rollout and teacher, both against the data set's own answer. Paper, B.2."""
    return score_differences(rollouts, discriminator)


@reward_functions.register("coef_gt", teacher=True, reference=True, shares="groups")
def coef_gt(rollouts: Sequence[Rollout], *, discriminator: CachedDiscriminator) -> FunctionValues:
    """The anchor with the data set's own answer as the reference: the coefficient of polar_gt."""
    r = score_differences(rollouts, discriminator)
    coefficients = [coefficient(value) for value in r.values]
    return FunctionValues(coefficients, {"r": r.values, **r.logged})


@reward_functions.register("learner", shares="groups")
def learner(
    rollouts: Sequence[Rollout], *, learners: Mapping[str, Scores], name: str
) -> list[float]:
    """The score by `learners.NAME`, which learns beside the policy, as its weights are at the draw.

    GAD's reward (arXiv 2511.10643): what tells the teacher's responses from the policy's.
    """
    return learners[name](rollouts)


def teacher_anchor(
    rollouts: Sequence[Rollout], discriminator: CachedDiscriminator, centre: bool
) -> AnchorScores:
    """Score the rollouts against the teacher's responses."""
    comparisons = [teacher_comparison(rollout) for rollout in rollouts]
    baseline = discriminator.fixed if centre else None
    return anchor_scores(discriminator.score, comparisons, baseline=baseline)


def score_differences(
    rollouts: Sequence[Rollout], discriminator: CachedDiscriminator
) -> FunctionValues:
    """Return r_s - r_t: how much closer the rollout is to the reference than the teacher is."""
    pairs = [reference_comparisons(rollout) for rollout in rollouts]
    r_s = discriminator.score([student for student, _ in pairs])
    r_t = discriminator.fixed([teacher for _, teacher in pairs])
    differences = [s - t for s, t in zip(r_s, r_t, strict=True)]
    return FunctionValues(differences, {"r_s": r_s, "r_t": r_t})


def teacher_comparison(rollout: Rollout) -> Comparison:
    """Compare a rollout with the teacher's response. Raises DataError where there is none."""
    example = rollout.example
    if example.response is None:
        raise DataError("no teacher 'response' to compare a rollout with", where=example.origin)
    return compare(example, example.response, rollout.completion.text)


def reference_comparisons(rollout: Rollout) -> tuple[Comparison, Comparison]:
    """Compare a rollout, and then the teacher, with the data set's own answer. Raises DataError."""
    example = rollout.example
    if example.response is None:
        raise DataError("no teacher 'response' to compare a rollout with", where=example.origin)
    if example.reference is None:
        problem = "no 'reference' to compare rollout and teacher with"
        raise DataError(problem, where=example.origin)
    reference = example.reference
    return (
        compare(example, reference, rollout.completion.text),
        compare(example, reference, example.response),
    )
