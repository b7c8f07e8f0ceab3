"""What a benchmark is: its items, how their answers are graded, and the registry of benchmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from uniapl_cli.chat.thinking import strip_thinking
from uniapl_cli.evaluation.estimates import Column, Share, column
from uniapl_cli.options import FilePath, Options, key
from uniapl_cli.registry import Registry
from uniapl_cli.types import Constraint, Likelihood, Message, Verdict
from uniapl_cli.upstream import Upstream

Domain = Literal["I-Following", "English", "Coding", "Mathematics", "Chinese"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's question, and the constraints by which its answer is graded."""

    question: str
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A row that is answered: a conversation of one turn or more, behind solved examples (shots).

    `subset` is its subject, language or level. `refused` says why it cannot be graded here, such as
    for a missing package: it is not asked, and counted by that reason. `origin` is `file:line`.
    """

    id: str
    turns: tuple[Turn, ...]
    subset: str = ""
    shots: tuple[Message, ...] = ()
    refused: str = ""
    origin: str = ""

    def messages(self, answers: Sequence[str]) -> tuple[Message, ...]:
        """Return the conversation up to the question behind `answers`, the model's own so far.

        They stand there without thoughts, and without white space around them.
        """
        said = [
            message
            for turn, answer in zip(self.turns, answers, strict=False)
            for message in (
                Message("user", turn.question),
                Message("assistant", strip_thinking(answer).strip()),
            )
        ]
        return (*self.shots, *said, Message("user", self.turns[len(answers)].question))


@dataclass(frozen=True, slots=True)
class ChoiceItem:
    """A row whose options are compared by how likely they are behind `context`, a plain text.

    The option at `gold` is right. Contexts that begin alike are computed once up to where they
    part.
    """

    id: str
    context: str
    options: tuple[str, ...]
    gold: int
    subset: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """A graded answer. `marks`: what it adds to each metric's total and count.

    turn, sample: which answer of the item it is. read: what was read as the answer; None where
    nothing could be read. reason: of a verdict, in one line. cut: whether the response was cut off.
    failed: whether a verifier could not judge it. row: what samples.jsonl has of it.
    """

    item: Item | ChoiceItem
    turn: int
    sample: int
    marks: Mapping[str, Share]
    read: str | None
    reason: str = ""
    cut: bool = False
    failed: bool = False
    row: Mapping[str, object] = field(default_factory=dict)


class Benchmark(Options):
    """A benchmark's options, and the rule that it is measured by.

    rule: prompt, extraction and metric in a name; the number behind it grows whenever a score could
    change. main: the metric that the tables show. over_subsets: whether that is the mean of the
    subsets' means; `_rows` behind its name is then the mean over all rows. extracts: whether an
    answer is read out of the response, so that it may be unread. domain: the paper's mean that it
    enters; instead_of: the benchmark in whose place it does, where that one is not measured.
    upstream: where its rows are fetched from.
    """

    title: ClassVar[str]
    rule: ClassVar[str]
    main: ClassVar[str] = "accuracy"
    domain: ClassVar[Domain | None] = None
    instead_of: ClassVar[str] = ""
    over_subsets: ClassVar[bool] = False
    extracts: ClassVar[bool] = True
    upstream: ClassVar[Upstream | None] = None

    data: FilePath | None = key(
        None, "folder, file or hub name; null is the folder of its name in `benchmark_data`"
    )
    limit: int | None = key(
        None, "only so many rows, of each subset alike; null is the section's own limit", ge=1
    )
    subsets: list[str] = key([], "only these subjects, languages or levels; [] takes all")

    def items(self, data: Path) -> list[Item] | list[ChoiceItem]:
        """Read the rows, in a fixed order, ids unique. Raises DataError with file and line."""
        raise NotImplementedError

    def marks(self, item: Item, turn: int, verdict: Verdict) -> dict[str, Share]:
        """Return what an answer adds to each metric: for one that is right or wrong, `accuracy`."""
        return {"accuracy": (float(verdict.passed), 1.0)}

    def scores(self, item: ChoiceItem, likelihoods: Sequence[Likelihood]) -> dict[str, list[float]]:
        """Return for each metric a score an option; the highest is taken, of equals the first."""
        return {"accuracy": [likelihood.logp for likelihood in likelihoods]}

    def choose(self, item: ChoiceItem, likelihoods: Sequence[Likelihood]) -> Graded:
        """Grade an item by the likelihoods of its options, in their order.

        `read` is the option that the main metric takes. Where one is not a number, none is taken.
        """
        scores = self.scores(item, likelihoods)
        if any(math.isnan(likelihood.logp) for likelihood in likelihoods):
            wrong = dict.fromkeys(scores, (0.0, 1.0))
            return Graded(item, 0, 0, wrong, None, "a log-probability is not a number")
        taken = {name: values.index(max(values)) for name, values in scores.items()}
        marks = {name: (float(index == item.gold), 1.0) for name, index in taken.items()}
        return Graded(item, 0, 0, marks, item.options[taken[self.main]].strip())

    def metrics(self, graded: Sequence[Graded]) -> dict[str, list[Column]]:
        """Return for each metric the columns whose ratios it is the mean of; usually one."""
        names = list(dict.fromkeys(name for one in graded for name in one.marks))
        metrics = {name: [column(graded, name)] for name in names}
        if not self.over_subsets:
            return metrics
        subsets = list(dict.fromkeys(one.item.subset for one in graded))
        by_subset = {s: [one for one in graded if one.item.subset == s] for s in subsets}
        return {
            **{name: [column(by_subset[s], name) for s in subsets] for name in names},
            **{f"{name}_rows": columns for name, columns in metrics.items()},
        }


# A Benchmark class a name.
benchmarks: Registry[type[Benchmark]] = Registry("benchmark", base=Benchmark)
