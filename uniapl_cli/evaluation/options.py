"""The config's section `eval`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.contamination import ContaminationOptions
from uniapl_cli.evaluation.metrics import metrics
from uniapl_cli.options import MISSING, Count, FilePath, Options, key, section
from uniapl_cli.registry import Choice, Named
from uniapl_cli.teachers.server import Server
from uniapl_cli.types import Sampling


def usable_names(named: dict[str, Any]) -> dict[str, Any]:
    """Return a map whose names stand in files' names. Raises ValueError for what cannot."""
    for name in named:
        if not re.fullmatch(r"[\w-]{1,80}", name):
            raise ValueError(
                f"{name!r} would be part of the names of files: "
                "take at most 80 letters, digits, '_' and '-'"
            )
    return named


# Outside EvalOptions, where `metrics` and `benchmarks` are the names of fields.
AnyMetric = Annotated[Options, Choice(metrics)]
Benchmarks = Annotated[dict[str, Options], Named(Choice(benchmarks)), AfterValidator(usable_names)]

# Tokens of a response, long enough for a chain of thought that ends with its answer.
LONGEST = 2048


class SamplingRunOptions(Options):
    """One way of sampling the evaluated model."""

    samples: Count = key(1, "responses a prompt")
    sampling: Sampling = section(Sampling, "how tokens are drawn")


Draws = Annotated[dict[str, SamplingRunOptions], AfterValidator(usable_names)]


class HarnessOptions(Options):
    """Tasks of lm-evaluation-harness, by its own rules."""

    tasks: list[str] = key(MISSING, "names, such as [hellaswag, arc_easy]", min_length=1)
    include_path: FilePath | None = key(
        None, "folder of the tasks' YAML files; null takes the harness's own"
    )
    shots: int | None = key(
        None, "solved examples; null takes each task's own number", ge=0, le=100
    )


class EvalOptions(Options):
    """uniapl eval: measure a model on benchmarks, and on held-out prompts of one's own."""

    model: FilePath = key(MISSING, "folder, run directory or hub name of the model to measure")
    revision: str | None = key(
        None, "branch, tag or commit on the hub; null takes model.revision if it is model.path"
    )
    server: Server | None = key(None, "measure a model behind a server; null loads eval.model")
    name: str | None = key(None, "what the report calls it; null takes the model's path")
    out: FilePath = key(MISSING, "folder for eval.json and the responses")
    benchmarks: Benchmarks = key(
        {}, "[gsm8k, mmlu] or {gsm8k: {limit: 20}}; see `uniapl list benchmarks`"
    )
    benchmark_data: FilePath = key(
        "data/benchmarks", "folder with a folder a benchmark, as uniapl data fetch makes it"
    )
    harness: HarnessOptions | None = key(None, "tasks of lm-evaluation-harness; null: none")
    data: FilePath | None = key(None, "rows with prompts of one's own, graded by eval.metrics")
    limit: int | None = key(
        None, "only so many rows, of each benchmark and of eval.data; null takes all", ge=1
    )
    metrics: list[AnyMetric] = key(
        [metrics.options(name) for name in ("ifeval", "length")],
        "of eval.data; see `uniapl list metrics`",
        min_length=1,
    )
    draws: Draws = key(
        {"greedy": SamplingRunOptions(sampling=Sampling(temperature=0.0, max_new_tokens=LONGEST))},
        "name: {samples, sampling}; each is reported; null takes one out",
        min_length=1,
    )
    prompts: Literal["chat", "plain"] = key(
        "chat", "through the chat template, or as plain text for a model that knows none"
    )
    contamination: ContaminationOptions = section(
        ContaminationOptions, "how much of the benchmarks stands in the training rows"
    )
    too_long: Literal["error", "wrong"] = key(
        "error", "a benchmark's prompt that fills the model's context; wrong ones are counted"
    )
