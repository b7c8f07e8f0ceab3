"""Measures a policy in training: a line of validation.jsonl, and the best model so far."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from uniapl_cli.commands.best import Best
from uniapl_cli.commands.heldout import bind_metrics
from uniapl_cli.commands.model_folder import save_model
from uniapl_cli.commands.parts import Shared, micro_batch_tokens
from uniapl_cli.commands.tasks import Task
from uniapl_cli.commands.validation import direction, preference_term, sampling_of
from uniapl_cli.commands.validation_rows import HeldOut
from uniapl_cli.config.schema import Config
from uniapl_cli.data.encode import Encoded
from uniapl_cli.evaluation.answers import Answers, Draw
from uniapl_cli.evaluation.benchmarks import Graded
from uniapl_cli.evaluation.evaluate import evaluate
from uniapl_cli.evaluation.likelihoods import choose, score_items
from uniapl_cli.evaluation.measure import ask, grade
from uniapl_cli.evaluation.scores import score
from uniapl_cli.evaluation.validation import ValidationOptions
from uniapl_cli.formulas import Formula
from uniapl_cli.generation import Generator
from uniapl_cli.generation.likelihood import LikelihoodScorer
from uniapl_cli.generation.shared import SharedGenerator
from uniapl_cli.monitoring.ranked import RankedReporter
from uniapl_cli.monitoring.reporter import Reporter
from uniapl_cli.objectives.imitation import nll
from uniapl_cli.ranks import Ranks
from uniapl_cli.runs.console import bar
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.sources import Source, StepContext
from uniapl_cli.sources.demonstrations import Demonstrations
from uniapl_cli.sources.preferences import Choices
from uniapl_cli.teachers import LocalTeacher
from uniapl_cli.tensors import Batch
from uniapl_cli.training.heldout import held_out_means, undisturbed
from uniapl_cli.training.policy import Policy
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.types import Likelihood
from uniapl_cli.verifiers import Judge
from uniapl_cli.verifiers.shared import SharedJudge

# Names the draw: `uniapl eval` with a draw of this name draws the same.
DRAW = "validation"
# Held-out rows that are padded together.
CHUNK = 256
# Of a loss a token beyond it the exponential is no number any more.
MOST = 700.0


@dataclass(frozen=True)
class Validation:
    """Measures the policy at the steps that are due, and draws nothing that training draws.

    steps: the run's. tokens: padded ones a forward pass, by source. preferred: the term by which
    preferences are measured.
    """

    options: ValidationOptions
    steps: int
    draw: Draw
    tokens: Mapping[str, int]
    batch_tokens: int | None
    preferred: Term | None
    rows: HeldOut
    context: int
    shared: Shared
    best: Best | None

    def is_due(self, step: int) -> bool:
        """Whether the model after so many steps is measured."""
        every = self.options.every
        return every is not None and (step % every == 0 or step == self.steps)

    def __call__(self, reporter: Reporter | RankedReporter, step: int) -> None:
        """Measure the model after so many steps, if that is due and has not been reported.

        The row is reported last: until it is there, all of it is done again.
        """
        if not self.is_due(step) or reporter.has_validated(step):
            return
        began = time.perf_counter()
        with undisturbed(self.shared.policy.model, self.shared.policy.device):
            measured = {name: value for name, value in self.measure() if value is not None}
        row = self._ranks.of_first(lambda: measured, "the validation")
        row["seconds"] = time.perf_counter() - began
        if self.best is not None:
            self.best.consider(step, row)
        reporter.validated(step, row)

    def measure(self) -> Iterator[tuple[str, float | None]]:
        """Yield the name and the value of each metric of the policy as it is now."""
        if self.rows.prompts or self.rows.tasks:
            self.shared.generator().follow(self.shared.policy)
        if self.rows.prompts:
            yield from self._answered()
        if self.rows.demonstrations:
            yield from self._imitated()
        if self.rows.preferences:
            yield from self._preferred()
        for task in self.rows.tasks:
            scores = score(task.benchmark, self._graded(task))["metrics"]
            yield from ((f"{task.name}/{name}", found["mean"]) for name, found in scores.items())

    def _answered(self) -> Iterator[tuple[str, float | None]]:
        """Yield the metrics of the answers to held-out prompts, as `uniapl eval` has them."""
        supplies = {**self.shared.supplies, "chat": lambda: self.shared.chat}
        graded = bind_metrics(self.options.metrics, supplies)
        model, judge = LocalTeacher(self._generator(), self.shared.chat), self._judge()
        figures, _ = evaluate(self.rows.prompts, model, self.draw, graded, judge)
        yield from ((f"prompts/{name}", one.plain()["mean"]) for name, one in figures.items())

    def _imitated(self) -> Iterator[tuple[str, float | None]]:
        """Yield the loss a token of held-out demonstrations, and its exponential."""
        term = Term("demonstrations", "demonstrations", Formula("1"), nll)
        source = Demonstrations(term.source, self._pad_id)
        batches = _batches(source, self.rows.demonstrations)
        loss = self._means(term, batches)["loss"]
        yield "demonstrations/loss", loss
        yield "demonstrations/perplexity", math.exp(min(loss, MOST))

    def _preferred(self) -> Iterator[tuple[str, float | None]]:
        """Yield the loss of held-out pairs by the term that learns from such, and its metrics."""
        term = self.preferred
        assert term is not None, "checked before the rows were read"
        source = Choices(term.source, self._pad_id)
        batches = _batches(source, self.rows.preferences)
        yield from ((f"preferences/{n}", value) for n, value in self._means(term, batches).items())

    def _means(self, term: Term, batches: Iterator[Batch]) -> dict[str, float]:
        tokens = self.tokens[term.source]
        means = held_out_means(self.shared.policy, term, batches, tokens, self.shared.reference)
        return {name: mean.value for name, mean in means.items()}

    @property
    def _ranks(self) -> Ranks:
        return self.shared.policy.ranks

    def _generator(self) -> Generator:
        return SharedGenerator(self.shared.generator(), self._ranks)

    def _judge(self) -> Judge:
        return SharedJudge(self.shared.supplies["judge"](), self._ranks)

    @property
    def _pad_id(self) -> int:
        return self.shared.chat.tokenizer.pad_token_id or 0

    def _graded(self, task: Task) -> list[Graded]:
        """Return a benchmark's graded answers; a row that does not fit the model is wrong."""
        title = f"{task.name} {DRAW}"
        if task.compares_options:
            return choose(task.benchmark, task.items, self._likelihoods(task, title))
        teacher = LocalTeacher(self._generator(), self.shared.chat, self.context)
        answers = Answers(self.draw, long_is_wrong=True)
        found = ask(task.items, answers, lambda: teacher, title)
        return grade(task.benchmark, task.items, found, self._judge(), f"grade {title}")

    def _likelihoods(self, task: Task, title: str) -> dict[str, list[Likelihood]]:
        policy, known, mine = self.shared.policy, {}, self._ranks.share(task.items)
        with bar(title, len(mine)) as shown, self._ranks.whole(policy.net):
            scorer = LikelihoodScorer(
                policy.model,
                self.shared.chat.tokenizer,
                precision=policy.precision,
                batch_tokens=self.batch_tokens,
            )
            found = score_items(scorer, mine, shown.tokens, long_is_wrong=True)
            for index, likelihoods in found:
                known[mine[index].id] = likelihoods
                shown.advance()
        parts = self._ranks.gather(known, f"validation by {task.name}")
        return {item: likelihoods for part in parts for item, likelihoods in part.items()}


def make_validation(
    config: Config,
    method: Plan,
    run: RunDirectory,
    rows: HeldOut | None,
    context: int,
    shared: Shared,
) -> Validation | None:
    """Return what measures the policy as the config says; None where there are no rows for it."""
    if rows is None:
        return None
    options, device = config.validation, shared.policy.device.type
    preferred = preference_term(config, method) if rows.preferences else None
    sources = ["demonstrations", *([preferred.source] if preferred else [])]
    return Validation(
        options,
        config.training.steps,
        Draw(DRAW, options.samples, sampling_of(config), config.seed),
        {name: micro_batch_tokens(config, name, device) for name in sources},
        getattr(config.generation, "batch_tokens", None),
        preferred,
        rows,
        context,
        shared,
        _best(config, method, run, shared.policy),
    )


def _best(config: Config, method: Plan, run: RunDirectory, policy: Policy) -> Best | None:
    """Return what keeps the best model; None where no metric says which that is."""
    metric = config.validation.best
    if metric is None:
        return None
    save = partial(save_model, run.best, config, method, run, policy)
    way = direction(config)[metric]
    return Best(run.best, metric, way, config.training.steps, save, policy.ranks)


def _chunks(rows: Sequence[Encoded]) -> Iterator[Sequence[Encoded]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _batches(source: Source, rows: Sequence[Encoded]) -> Iterator[Batch]:
    """Yield batches of some rows each."""
    for items in _chunks(rows):
        if (batch := source.draw(_step(items)).batch) is not None:
            yield batch


def _step(items: Sequence[Any]) -> StepContext:
    return StepContext(items, 0, (), lambda _: ())
