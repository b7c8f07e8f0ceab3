"""Measure a model on held-out prompts of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from uniapl_cli.errors import TeacherError
from uniapl_cli.evaluation.answers import Draw
from uniapl_cli.evaluation.estimates import Estimate, Share
from uniapl_cli.evaluation.metrics import Answer, estimate_of
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.teachers import Answer as Response
from uniapl_cli.teachers import Failure, Question, Teacher
from uniapl_cli.types import Example
from uniapl_cli.verifiers import Case, Judge

BoundMetric = Callable[[Sequence[Answer]], dict[str, list[Share]]]


def evaluate(
    examples: Sequence[Example],
    model: Teacher,
    draw: Draw,
    metrics: Iterable[BoundMetric],
    judge: Judge,
) -> tuple[dict[str, Estimate], list[dict[str, Any]]]:
    """Return the estimates, and a row for each response with its verdict."""
    answers = answer(examples, model, draw, judge)
    measured = {name: shares for metric in metrics for name, shares in metric(answers).items()}
    estimates = {name: estimate_of(answers, shares) for name, shares in measured.items()}
    rows = [
        response_row(draw.name, one, {name: shares[index] for name, shares in measured.items()})
        for index, one in enumerate(answers)
    ]
    return estimates, rows


def answer(examples: Sequence[Example], model: Teacher, draw: Draw, judge: Judge) -> list[Answer]:
    """Sample the responses and judge them, in the order of the prompts. Raises TeacherError."""
    questions = [
        Question(
            example.prompt,
            tuple(derive(draw.seed, "eval", draw.name, example.id, i) for i in range(draw.samples)),
            example.origin,
            example.tools,
        )
        for example in examples
    ]
    responses: dict[tuple[int, int], Response] = {}
    with (
        bar(f"eval {draw.name}", len(questions) * draw.samples) as progress,
        closing(model.answer(questions, draw.sampling, progress.tokens)) as results,
    ):
        for index, sample, result in results:
            if isinstance(result, Failure):
                raise TeacherError(result.reason, where=examples[index].origin)
            responses[index, sample] = result
            progress.advance()
    pairs = [(examples[index], responses[index, n]) for index, n in sorted(responses)]
    verdicts = judge([Case(r.text, e.constraints, e.origin) for e, r in pairs])
    return [Answer(e, r, verdict) for (e, r), verdict in zip(pairs, verdicts, strict=True)]


def response_row(run: str, answer: Answer, shares: Mapping[str, Share]) -> dict[str, Any]:
    """Return an answer as a row of responses.jsonl, with its own value of each metric."""
    example, response, verdict = answer.example, answer.completion, answer.verdict
    verdicts: dict[str, Any] = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    if any(verdict.errors):
        verdicts["errors"] = list(verdict.errors)
    return {
        "draws": run,
        "key": example.id,
        "prompt": example.prompt_text,
        # Half of a surrogate pair is no text, and could not be written.
        "response": response.text.encode("utf-8", "replace").decode(),
        "finish_reason": response.finish_reason,
        "tokens": response.response_tokens,
        "instruction_id_list": [c.id for c in example.constraints],
        "kwargs": [dict(c.kwargs) for c in example.constraints],
        "verdict": verdicts,
        "metrics": {name: total / count for name, (total, count) in shares.items() if count},
    }
