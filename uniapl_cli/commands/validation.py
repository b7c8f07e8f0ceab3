"""The section `validation`: refused where it fits neither itself nor the method; what it reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from uniapl_cli.commands.inputs import data_input
from uniapl_cli.commands.tasks import data_of
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.evaluation.benchmarks import Benchmark
from uniapl_cli.evaluation.metrics import metrics
from uniapl_cli.objectives import objectives
from uniapl_cli.registry import KIND
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.types import Sampling

log = logging.getLogger("uniapl")

# What is measured on files; their metrics begin so.
FILES = ("prompts", "demonstrations", "preferences")
# Whether a lower or a higher value of a loss's metrics is better.
OF_LOSSES = {"loss": "lower", "perplexity": "lower"}
OF_PAIRS = {"loss": "lower", "accuracy": "higher", "margin": "higher"}


def check_validation(config: Config, method: Plan) -> None:
    """Refuse a section that measures nothing, or a best of what it does not measure.

    Raises ConfigError.
    """
    options = config.validation
    if options.every is None:
        if options.best is not None:
            advice = "Set validation.every to the steps between two measurements"
            raise config.error(
                "validation.best", "nothing is measured: validation.every is null", advice
            )
        return
    if not options.named and not options.benchmarks:
        raise config.error(
            "validation.every",
            "there is nothing to measure",
            "Set validation.prompts=FILE, validation.demonstrations=FILE or "
            "validation.benchmarks=[ifeval, ...]",
            got=options.every,
        )
    for name in options.benchmarks.keys() & FILES:
        raise config.error(
            f"validation.benchmarks.{name}",
            f"'{name}' names the metrics of validation.{name}, and cannot name a benchmark's too",
            "Give the benchmark another name",
            got=name,
            allowed=[],
        )
    if options.preferences is not None:
        preference_term(config, method)
    if options.best is not None and options.best not in (known := direction(config)):
        error = unknown("metric", options.best, known, ConfigError)
        key = "validation.best"
        raise error.at(config.origin(key), key)


def direction(config: Config) -> dict[str, str]:
    """Return by which metrics a model may be the best, and whether "higher" or "lower" is."""
    options = config.validation
    of: dict[str, Mapping[str, str]] = {}
    if options.prompts is not None:
        better = [metrics.entry(one).traits.get("better", {}) for one in options.metrics]
        of["prompts"] = {name: way for ways in better for name, way in ways.items()}
    if options.demonstrations is not None:
        of["demonstrations"] = OF_LOSSES
    if options.preferences is not None:
        of["preferences"] = OF_PAIRS
    for name, benchmark in options.benchmarks.items():
        assert isinstance(benchmark, Benchmark), "the base of all benchmarks"
        of[name] = {benchmark.main: "higher"}
    return {f"{kind}/{name}": way for kind, ways in of.items() for name, way in ways.items()}


def preference_term(config: Config, method: Plan) -> Term:
    """Return the term whose objective compares held-out answers. Raises ConfigError."""
    for term in method.ever_active:
        kinds = (
            getattr(config.source(term.source), KIND),
            objectives.entry(config.terms[term.name].objective).name,
        )
        if kinds == ("choices", "dpo"):
            return term
    raise config.error(
        "validation.preferences",
        "no term learns from choices by dpo, so there is no reference to compare answers by",
        "Leave validation.preferences out, or train with a term of objective dpo",
        got=config.validation.preferences,
    )


def times(config: Config) -> int:
    """Return how often the run is measured, with the model that it begins with and the last."""
    every, steps = config.validation.every, config.training.steps
    return 0 if every is None else 1 + -(-steps // every)


def sampling_of(config: Config) -> Sampling:
    """Return how held-out prompts are answered."""
    given = config.validation.sampling
    longest = config.sampling.max_new_tokens
    return Sampling(temperature=0.0, max_new_tokens=longest) if given is None else given


def split_of(config: Config) -> tuple[str | None, str]:
    """Return the split of held-out files that have some, and the key that names it."""
    own, data = config.validation.split, config.data
    return (data.split, "data.split") if own is None else (own, "validation.split")


def validation_inputs(config: Config) -> dict[str, Any]:
    """Return the records of the files that are measured on. Raises DataError."""
    options = config.validation
    if options.every is None:
        return {}
    named = {f"validation.{name}": file for name, file in options.named.items()}
    for name, benchmark in options.benchmarks.items():
        assert isinstance(benchmark, Benchmark), "the base of all benchmarks"
        key = f"validation.benchmarks.{name}"
        with config.blaming(key):
            folder = data_of(options.benchmark_data, benchmark)
        if folder.exists():  # else reading its rows says what to do
            named[key] = str(folder)
    inputs = {}
    for key, file in named.items():
        with config.blaming(key):
            inputs[key] = data_input(config, file, split=split_of(config))
    return inputs
