"""Measure a model on held-out prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from uniapl_cli.data.encode import Encoded
from uniapl_cli.evaluation.metrics import Answer, Estimate, Share, estimate, metrics
from uniapl_cli.generation import Generator, Request
from uniapl_cli.options import MISSING, Count, FilePath, Options, key, section
from uniapl_cli.registry import Choice
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.types import Completion, Sampling
from uniapl_cli.verifiers import Case, Judge

BoundMetric = Callable[[Sequence[Answer]], dict[str, list[Share]]]
# Outside EvalOptions, where `metrics` is the name of a field.
AnyMetric = Annotated[Options, Choice(metrics)]


class SamplingRunOptions(Options):
    """One way of sampling the evaluated model."""

    samples: Count = key(1, "responses a prompt")
    sampling: Sampling = section(Sampling, "how tokens are drawn")


class EvalOptions(Options):
    """uniapl eval: measure a model on held-out prompts."""

    model: FilePath = key(MISSING, "folder, run directory or hub name of the model to measure")
    revision: str | None = key(
        None, "branch, tag or commit on the hub; null takes model.revision if it is model.path"
    )
    name: str | None = key(None, "what the report calls it; null takes the model's path")
    data: FilePath = key(MISSING, "JSONL with prompts and constraints")
    out: FilePath = key(MISSING, "folder for eval.json and responses.jsonl")
    limit: int | None = key(None, "only the first rows; null takes all", ge=1)
    metrics: list[AnyMetric] = key(
        [metrics.options(name) for name in ("ifeval", "length")],
        "see `uniapl list metrics`",
        min_length=1,
    )
    draws: dict[str, SamplingRunOptions] = key(
        {"greedy": SamplingRunOptions(sampling=Sampling(temperature=0.0))},
        "name: {samples, sampling}; each is reported; null takes one out",
        min_length=1,
    )


@dataclass(frozen=True)
class SamplingRun:
    """One way of sampling the model, with `samples` responses a prompt."""

    name: str
    samples: int
    sampling: Sampling


def evaluate(
    prompts: Sequence[Encoded],
    generator: Generator,
    run: SamplingRun,
    metrics: Iterable[BoundMetric],
    judge: Judge,
    *,
    seed: int,
) -> tuple[dict[str, Estimate], list[dict[str, Any]]]:
    """Return the estimates, and a row for each response with its verdict."""
    answers = answer(prompts, generator, run, judge, seed)
    estimates = {
        name: estimate(answers, shares)
        for metric in metrics
        for name, shares in metric(answers).items()
    }
    return estimates, [response_row(run.name, a) for a in answers]


def answer(
    prompts: Sequence[Encoded],
    generator: Generator,
    run: SamplingRun,
    judge: Judge,
    seed: int,
) -> list[Answer]:
    """Sample the responses and judge them, in the order of the prompts."""
    examples = [prompt.example for prompt in prompts]
    requests = [
        Request(
            tuple(prompt.prompt),
            tuple(derive(seed, "eval", run.name, prompt.example.id, i) for i in range(run.samples)),
            prompt.example.origin,
        )
        for prompt in prompts
    ]
    by_index: dict[int, list[Completion]] = {}
    with bar(f"eval {run.name}", len(requests)) as progress:
        for index, completions in generator.generate(requests, run.sampling, progress.tokens):
            by_index[index] = completions
            progress.advance()
    pairs = [(e, c) for index, e in enumerate(examples) for c in by_index[index]]
    verdicts = judge([Case(c.text, e.constraints, e.origin) for e, c in pairs])
    return [Answer(e, c, verdict) for (e, c), verdict in zip(pairs, verdicts, strict=True)]


def response_row(run: str, answer: Answer) -> dict[str, Any]:
    """Return an answer as a row of responses.jsonl."""
    example, completion, verdict = answer.example, answer.completion, answer.verdict
    verdicts: dict[str, Any] = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    if any(verdict.errors):
        verdicts["errors"] = list(verdict.errors)
    return {
        "draws": run,
        "key": example.id,
        "prompt": example.prompt_text,
        "response": completion.text,
        "finish_reason": completion.finish_reason,
        "instruction_id_list": [c.id for c in example.constraints],
        "verdict": verdicts,
    }


def plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Return estimates as JSON holds them: NaN is null."""
    return {
        name: {"mean": _number(e.mean), "se": _number(e.se), "n": e.n}
        for name, e in estimates.items()
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
