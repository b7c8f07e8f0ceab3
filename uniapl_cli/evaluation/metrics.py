"""The metrics of an evaluation, a function each, and the standard error of their means."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uniapl_cli.chat import Chat
from uniapl_cli.discriminators import Discriminator, anchor_scores, compare
from uniapl_cli.errors import DataError
from uniapl_cli.registry import Registry
from uniapl_cli.tiny.topics import on_topic
from uniapl_cli.types import Completion, Example, Verdict


@dataclass(frozen=True)
class Answer:
    """An evaluated response."""

    example: Example
    completion: Completion
    verdict: Verdict


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error with prompts as the unit, and the number of prompts."""

    mean: float
    se: float
    n: int


# An answer's contribution to a mean: what it adds to the total, and to the count.
Share = tuple[float, float]
Metric = Callable[..., dict[str, list[Share]]]
metrics: Registry[Metric] = Registry("metric", supplied=("chat", "discriminator"))


@metrics.register("ifeval")
def ifeval(answers: Sequence[Answer]) -> dict[str, list[Share]]:
    """IFEval's four: prompt- and instruction-level, strict and loose."""
    shares: dict[str, list[Share]] = {}
    for mode in ("strict", "loose"):
        verdicts = [getattr(answer.verdict, mode) for answer in answers]
        shares[f"prompt_{mode}"] = [(float(all(v)), 1.0) for v in verdicts]
        shares[f"inst_{mode}"] = [(float(sum(v)), float(len(v))) for v in verdicts]
    return shares


@metrics.register("length")
def length(answers: Sequence[Answer], *, chat: Chat) -> dict[str, list[Share]]:
    """Tokens a response, the share cut off, and the length over the teacher's, if there is one."""
    tokens = [float(len(a.completion.token_ids)) for a in answers]
    shares: dict[str, list[Share]] = {
        "length": [(count, 1.0) for count in tokens],
        "truncated": [(float(a.completion.finish_reason == "length"), 1.0) for a in answers],
    }
    if all(answer.example.response is not None for answer in answers):
        teacher = [float(len(chat.response_ids(str(a.example.response)))) for a in answers]
        shares["length_ratio"] = list(zip(tokens, teacher, strict=True))
    return shares


@metrics.register("topic")
def topic(answers: Sequence[Answer]) -> dict[str, list[Share]]:
    """Tiny world: whether the response stays on the prompt's topic, which no verifier checks."""
    shares = []
    for answer in answers:
        if "topic" not in answer.example.row:
            problem = "metric 'topic' needs a 'topic' column"
            raise DataError(problem, where=answer.example.origin, got=list(answer.example.row))
        about = str(answer.example.row["topic"])
        shares.append((float(on_topic(answer.completion.text, about)), 1.0))
    return {"topic": shares}


@metrics.register("discriminator")
def discriminator(
    answers: Sequence[Answer], *, discriminator: Discriminator
) -> dict[str, list[Share]]:
    """The discriminator's score against the teacher's response, and its coefficient."""
    comparisons = []
    for answer in answers:
        teacher = answer.example.response
        if teacher is None:
            problem = "metric 'discriminator' needs the teacher's 'response'"
            raise DataError(problem, where=answer.example.origin)
        comparisons.append(compare(answer.example, teacher, answer.completion.text))
    anchored = anchor_scores(discriminator.score, comparisons)
    return {
        "score": [(score, 1.0) for score in anchored.scores],
        "coef": [(coef, 1.0) for coef in anchored.coefficients],
    }


def estimate(answers: Sequence[Answer], shares: Sequence[Share]) -> Estimate:
    """Return sum(total) / sum(count) with its standard error, answers of a prompt kept together.

    The error is the ratio estimator's: for one answer a prompt and counts of 1 it is s / sqrt(n).
    """
    clusters: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for answer, (total, count) in zip(answers, shares, strict=True):
        cluster = clusters[answer.example.id]
        cluster[0] += total
        cluster[1] += count
    totals, counts = zip(*clusters.values(), strict=True)
    n, whole = len(clusters), sum(counts)
    mean = sum(totals) / whole if whole else math.nan
    if n < 2 or not whole:
        return Estimate(mean, math.nan, n)
    squares = sum((t - mean * c) ** 2 for t, c in zip(totals, counts, strict=True))
    return Estimate(mean, math.sqrt(n / (n - 1) * squares) / whole, n)
