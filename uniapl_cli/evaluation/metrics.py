"""The metrics of answers to prompts of one's own, a function each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from uniapl_cli.chat import Chat
from uniapl_cli.discriminators import Discriminator, anchor_scores, compare
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.estimates import Estimate, Share, estimate, total_by_id
from uniapl_cli.registry import Registry
from uniapl_cli.teachers import Answer as Response
from uniapl_cli.tiny.topics import on_topic
from uniapl_cli.types import Example, Verdict
from uniapl_cli.verifiers import judgeable

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class Answer:
    """An evaluated response."""

    example: Example
    completion: Response
    verdict: Verdict


Metric = Callable[..., dict[str, list[Share]]]
# traits: constraints=True: it grades by these. better: of the names that it returns, those by which
# one model may be called better than another, and whether "higher" or "lower" is.
metrics: Registry[Metric] = Registry("metric", supplied=("chat", "discriminator"))


def check_graded(examples: Sequence[Example], names: Iterable[str], key: str) -> None:
    """Say how many prompts the metrics that grade by constraints leave out: those without any.

    `key` is the config's of the metrics. Raises DataError where all are left out.
    """
    bare = [example for example in examples if not example.constraints]
    grading = [name for name in names if metrics[name].traits.get("constraints")]
    if not bare or not grading:
        return
    if len(bare) == len(examples):
        raise DataError(
            f"no prompt has constraints, so metric '{grading[0]}' has nothing to grade",
            f"Use rows with instruction_id_list and kwargs, or other {key}",
            where=bare[0].origin,
        )
    log.warning(
        "%d of %d prompts have no constraints and are not graded, the first of them %s",
        len(bare),
        len(examples),
        bare[0].origin,
    )


RATES = ("prompt_strict", "prompt_loose", "inst_strict", "inst_loose")


@metrics.register("ifeval", constraints=True, better=dict.fromkeys(RATES, "higher"))
def ifeval(answers: Sequence[Answer]) -> dict[str, list[Share]]:
    """IFEval's four: prompt- and instruction-level, strict and loose.

    An answer to a prompt without constraints is not graded, nor is an instruction that cannot be
    judged here, nor its prompt.
    """
    shares: dict[str, list[Share]] = {}
    judged = [judgeable(answer.example.constraints, answer.verdict) for answer in answers]
    whole = [len(v.strict) == len(a.verdict.strict) for v, a in zip(judged, answers, strict=True)]
    for mode in ("strict", "loose"):
        verdicts = [getattr(verdict, mode) for verdict in judged]
        shares[f"prompt_{mode}"] = [
            (float(all(v)), 1.0) if v and complete else (0.0, 0.0)
            for v, complete in zip(verdicts, whole, strict=True)
        ]
        shares[f"inst_{mode}"] = [(float(sum(v)), float(len(v))) for v in verdicts]
    return shares


@metrics.register("length", better={"truncated": "lower"})
def length(answers: Sequence[Answer], *, chat: Chat) -> dict[str, list[Share]]:
    """Tokens a response, the share cut off, and the length over the teacher's, if there is one."""
    if uncounted := next((a for a in answers if a.completion.response_tokens is None), None):
        problem = "metric 'length': the server does not tell how many tokens a response has"
        advice = "Take 'length' out of eval.metrics"
        raise DataError(problem, advice, where=uncounted.example.origin)
    tokens = [float(a.completion.response_tokens or 0) for a in answers]
    shares: dict[str, list[Share]] = {
        "length": [(count, 1.0) for count in tokens],
        "truncated": [(float(a.completion.finish_reason == "length"), 1.0) for a in answers],
    }
    if all(answer.example.response is not None for answer in answers):
        teacher = [float(len(chat.response_ids(str(a.example.response)))) for a in answers]
        shares["length_ratio"] = list(zip(tokens, teacher, strict=True))
    return shares


@metrics.register("topic", better={"topic": "higher"})
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


@metrics.register("discriminator", better={"score": "higher"})
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


def estimate_of(answers: Sequence[Answer], shares: Sequence[Share]) -> Estimate:
    """Return sum(total) / sum(count) with its standard error, answers of a prompt kept together."""
    ids = (answer.example.id for answer in answers)
    return estimate([total_by_id(zip(ids, shares, strict=True))])
