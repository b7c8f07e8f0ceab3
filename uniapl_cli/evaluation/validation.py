"""The config's section `validation`."""

from __future__ import annotations

from uniapl_cli.evaluation.metrics import metrics
from uniapl_cli.evaluation.options import AnyMetric, Benchmarks
from uniapl_cli.options import Count, FilePath, Options, key
from uniapl_cli.types import Sampling


class ValidationOptions(Options):
    """What is measured while a run trains, on rows that it does not learn from."""

    every: Count | None = key(
        None,
        "steps between measurements; there is one before the first step too, and after the "
        "last; null: none",
    )
    prompts: FilePath | None = key(
        None, "held-out prompts: answered, and graded by validation.metrics"
    )
    metrics: list[AnyMetric] = key(
        [metrics.options(name) for name in ("ifeval", "length")],
        "of validation.prompts; see `uniapl list metrics`",
        min_length=1,
    )
    demonstrations: FilePath | None = key(
        None, "held-out demonstrations: their loss a token, and the perplexity"
    )
    preferences: FilePath | None = key(
        None, "held-out chosen and rejected answers: the loss and the accuracy of a term on choices"
    )
    benchmarks: Benchmarks = key(
        {}, "[gsm8k, mmlu] or {gsm8k: {limit: 20}}, as uniapl eval measures them"
    )
    benchmark_data: FilePath = key(
        "data/benchmarks", "folder with a folder a benchmark, as uniapl data fetch makes it"
    )
    split: str | None = key(
        None, "split of its files from the hub or of folders; null is data.split"
    )
    limit: int | None = key(
        None, "only so many rows of each file and of each benchmark; null takes all", ge=1
    )
    samples: Count = key(1, "responses a prompt")
    sampling: Sampling | None = key(
        None, "how tokens are drawn; null: greedy, at most sampling.max_new_tokens"
    )
    best: str | None = key(
        None,
        "keep the model that is best by this metric in RUN/best: prompts/prompt_strict, "
        "demonstrations/loss, gsm8k/accuracy ...",
    )

    @property
    def named(self) -> dict[str, str]:
        """The files that are measured on, by the key that names each."""
        files = {name: getattr(self, name) for name in ("prompts", "demonstrations", "preferences")}
        return {name: file for name, file in files.items() if file is not None}

    @property
    def samples_policy(self) -> bool:
        """Whether the policy is sampled."""
        return self.every is not None and (self.prompts is not None or bool(self.benchmarks))

    @property
    def compares(self) -> bool:
        """Whether a metric of held-out prompts compares answers by the discriminator."""
        asked = self.every is not None and self.prompts is not None
        return asked and any(metrics.wants(metric, "discriminator") for metric in self.metrics)
