"""Answers of all models side by side: paired by prompt, and as many as a page can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uniapl_cli.evaluation.seeds import split_seed
from uniapl_cli.pages.answers import Answer, read_answers
from uniapl_cli.pages.study import Written

# Prompts of a benchmark and draw (IFEval has 541), and bytes of all answers.
PROMPTS, BYTES = 600, 20_000_000
# Models that are shown before any is chosen.
SHOWN = 5


@dataclass
class SampleSet:
    """What was asked of one benchmark, or data, by one draw; `total` prompts before any was cut."""

    title: str
    draw: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    def ids(self) -> list[str]:
        """Return the prompts in their order."""
        return list(dict.fromkeys(row["id"] for row in self.rows))

    def cut(self, prompts: int) -> None:
        """Leave so many prompts, evenly spread, with all their turns and samples."""
        ids = self.ids()
        if prompts < len(ids):
            kept = {ids[index * len(ids) // prompts] for index in range(prompts)}
            self.rows = [row for row in self.rows if row["id"] in kept]

    def plain(self) -> dict[str, Any]:
        """Return it as the page holds it."""
        return {"title": self.title, "draw": self.draw, "total": self.total, "rows": self.rows}


def side_by_side(
    evaluations: Sequence[Written], prompts: int = PROMPTS, size: int = BYTES
) -> list[SampleSet]:
    """Return all answers by benchmark and draw, those of one prompt in one row.

    Of each set at most so many `prompts`, and of all sets fewer where they take more than `size`
    bytes. Raises DataError for a row that no eval wrote.
    """
    sets: dict[tuple[str, str], SampleSet] = {}
    places: dict[tuple[Any, ...], dict[str, Any]] = {}
    for number, evaluation in enumerate(evaluations):
        titles = _titles(evaluation)
        for answer in read_answers(evaluation):
            name, draw = answer.place
            group = sets.setdefault(answer.place, SampleSet(titles.get(name, name), draw))
            row = places.get((*answer.place, *answer.asked))
            if row is None:
                row = places[(*answer.place, *answer.asked)] = _row(answer)
                group.rows.append(row)
            row["answers"][str(number)] = answer.row
            if len(answer.instructions) == len(row["instructions"]):
                row["instructions"] = max(row["instructions"], answer.instructions, key=_told)
    return _bounded(list(sets.values()), prompts, size)


def shown_first(names: Sequence[str]) -> list[str]:
    """Return the models to be shown before any is chosen: the first seed of each, if few."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(split_seed(name)[0], name)
    return list(names) if len(names) <= SHOWN else list(first.values())[:SHOWN]


def left_out(sets: Sequence[SampleSet]) -> Iterator[tuple[SampleSet, int]]:
    """Yield the sets of which prompts were left out, and how many."""
    for one in sets:
        if (missing := one.total - len(one.ids())) > 0:
            yield one, missing


def _titles(evaluation: Written) -> Mapping[str, str]:
    measured = evaluation.result.get("benchmarks", {})
    return {name: found["title"] for name, found in measured.items()}


def _row(answer: Answer) -> dict[str, Any]:
    id, turn, sample, prompt = answer.asked
    return {
        "id": id,
        **({"turn": turn + 1} if turn else {}),
        **({"sample": sample + 1} if sample else {}),
        **({"subset": answer.subset} if answer.subset else {}),
        "prompt": prompt,
        "instructions": answer.instructions,
        "answers": {},
    }


def _told(instructions: Sequence[tuple[str, str]]) -> int:
    """Return how much is known of instructions: an earlier eval kept no kwargs."""
    return sum(len(kwargs) for _, kwargs in instructions)


def _bounded(sets: list[SampleSet], prompts: int, size: int) -> list[SampleSet]:
    for one in sets:
        one.total = len(one.ids())
        one.cut(prompts)
    while (taken := sum(map(_bytes, sets))) > size and any(len(one.ids()) > 1 for one in sets):
        for one in sets:
            one.cut(max(1, len(one.ids()) * size // (taken + taken // 50)))
    return sets


def _bytes(one: SampleSet) -> int:
    return len(json.dumps(one.rows, ensure_ascii=False).encode("utf-8", "replace"))
