"""How likely the options of a benchmark's items are, kept in a file as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.answers import KEY, otherwise
from uniapl_cli.evaluation.benchmarks import Benchmark, ChoiceItem, Graded
from uniapl_cli.files import Row
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
from uniapl_cli.runs.console import bar
from uniapl_cli.runs.fingerprint import of_text
from uniapl_cli.types import Likelihood, Progress

# In a draw's place: nothing is drawn.
LIKELIHOOD = "likelihood"

# (items, progress) -> (index of the item, one Likelihood an option), in the order they get done.
Scorer = Callable[..., Iterator[tuple[int, list[Likelihood]]]]


class LikelihoodFile:
    """The likelihoods of a benchmark's options. `provenance`: what decides them."""

    def __init__(self, path: Path, provenance: Any) -> None:
        self.rows = AppendOnlyRows(path, provenance, KEY)

    def likelihoods(
        self, items: Sequence[ChoiceItem], load: Callable[[], Scorer], title: str
    ) -> dict[str, list[Likelihood]]:
        """Return one Likelihood an option, by item; those that the file lacks are computed."""
        with self.rows as file:
            known = self._known(items)
            missing = [item for item in items if item.id not in known]
            with bar(title, len(items), len(items) - len(missing)) as shown:
                for index, found in load()(missing, shown.tokens) if missing else ():
                    item = missing[index]
                    known[item.id] = found
                    options = [asdict(one) for one in found]
                    file.add({"id": item.id, "question": digest(item), "options": options})
                    shown.advance()
        return known

    def _known(self, items: Sequence[ChoiceItem]) -> dict[str, list[Likelihood]]:
        digests = {item.id: digest(item) for item in items}
        options = {item.id: len(item.options) for item in items}
        known: dict[str, list[Likelihood]] = {}
        for row in self.rows.rows():
            id, question, found = read_likelihoods(row)
            if id not in digests:
                continue
            if digests[id] != question or len(found) not in (0, options[id]):
                problem = f"the question or the options of '{id}' have changed"
                raise DataError(problem, otherwise(KEY), where=row.origin, got=id)
            known[id] = found
        return known


def score_items(
    scorer: LikelihoodScorer,
    items: Sequence[ChoiceItem],
    progress: Progress,
    *,
    long_is_wrong: bool,
) -> Iterator[tuple[int, list[Likelihood]]]:
    """Yield (index of the item, a Likelihood an option); contexts are plain text.

    With `long_is_wrong`, an item that does not fit the model has none.
    """
    requests = [ChoiceRequest(i.context, i.options, i.origin or i.id) for i in items]
    fitting = list(range(len(requests)))
    if long_is_wrong:
        fitting = [index for index in fitting if scorer.fits(requests[index])]
        yield from ((index, []) for index in sorted({*range(len(requests))} - {*fitting}))
    found = scorer.score([requests[index] for index in fitting], progress)
    yield from ((fitting[number], likelihoods) for number, likelihoods in found)


def digest(item: ChoiceItem) -> str:
    """Return a digest of an item's texts."""
    return of_text(json.dumps([item.context, *item.options]))


def read_likelihoods(row: Row) -> tuple[str, str, list[Likelihood]]:
    """Return a row's item, the digest of its texts, its likelihoods. Raises DataError."""
    try:
        found = [Likelihood(**option) for option in row.values["options"]]
        if not all(isinstance(one.logp, float) for one in found):
            raise TypeError
        return str(row.values["id"]), row.values["question"], found
    except (KeyError, TypeError):
        problem = "no row of likelihoods that eval wrote"
        raise DataError(problem, otherwise(KEY), where=row.origin, got=list(row.values)) from None


def choose(
    benchmark: Benchmark, items: Sequence[ChoiceItem], known: dict[str, list[Likelihood]]
) -> list[Graded]:
    """Grade the items, in their order; one without likelihoods did not fit the model."""
    return [_graded(benchmark, item, known[item.id]) for item in items]


def _graded(benchmark: Benchmark, item: ChoiceItem, known: Sequence[Likelihood]) -> Graded:
    """Return a graded item with its row of samples.jsonl."""
    unknown = [Likelihood(math.nan, 0, False)] * len(item.options)
    graded = benchmark.choose(item, known or unknown)
    if not known:
        graded = replace(graded, reason="its context does not fit the model", cut=True)
    row = {
        "id": item.id,
        "subset": item.subset,
        "prompt": item.context,
        "options": list(item.options),
        "logps": [likelihood.logp for likelihood in known],
        "correct": {name: bool(total) for name, (total, _) in graded.marks.items()},
        "read": graded.read,
        "gold": item.options[item.gold],
    }
    return replace(graded, row=row | ({"reason": graded.reason} if graded.reason else {}))
