"""Measures a model on a benchmark: asks it turn by turn, then grades the answers' texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from uniapl_cli.evaluation.answers import Answers, Asked, Place
from uniapl_cli.evaluation.benchmarks import Benchmark, Graded, Item
from uniapl_cli.runs.console import bar
from uniapl_cli.teachers import Answer, Teacher
from uniapl_cli.types import Grade, Verdict
from uniapl_cli.verifiers import Case, Judge

# Answers that are judged at a time.
CHUNK = 64


def chosen(benchmark: Benchmark, items: Sequence[Any], limit: int | None) -> list[Any]:
    """Return the items of the subsets that are measured, as many of each as `limit` allows in all.

    They stay in their order.
    """
    if benchmark.subsets:
        items = [item for item in items if item.subset in benchmark.subsets]
    if limit is None or limit >= len(items):
        return list(items)
    by_subset: dict[str, list[Any]] = {}
    for item in items:
        by_subset.setdefault(item.subset, []).append(item)
    in_turn = (item for row in zip_longest(*by_subset.values()) for item in row if item is not None)
    taken = {item.id for item, _ in zip(in_turn, range(limit), strict=False)}
    return [item for item in items if item.id in taken]


def ask(
    items: Sequence[Item], file: Answers, load: Callable[[], Teacher], title: str
) -> dict[Place, Answer]:
    """Ask every question of the items, a turn of all conversations at a time; return the answers.

    From the second turn on the model's own answers stand before the question.
    """
    answers: dict[Place, Answer] = {}
    turns = max((len(item.turns) for item in items), default=0)
    for turn in range(turns):
        going = [item for item in items if len(item.turns) > turn and not item.refused]
        asked = [one for item in going for one in _questions(item, turn, file, answers)]
        number = f" turn {turn + 1}/{turns}" if turns > 1 else ""
        answers |= file.answers(asked, load, f"{title}{number}")
    return answers


def _questions(
    item: Item, turn: int, file: Answers, answers: Mapping[Place, Answer]
) -> Iterator[Asked]:
    samples = tuple(range(file.draw.samples))
    if turn == 0:
        yield Asked(item.id, turn, samples, item.messages(()), item.origin)
        return
    for sample in samples:
        said = [answers[item.id, before, sample].text for before in range(turn)]
        yield Asked(item.id, turn, (sample,), item.messages(said), item.origin)


def grade(
    benchmark: Benchmark,
    items: Sequence[Item],
    answers: Mapping[Place, Answer],
    judge: Judge,
    title: str,
) -> list[Graded]:
    """Grade the answers that there are, in the order of the items: a function of their texts."""
    by_id = {item.id: (number, item) for number, item in enumerate(items)}
    places = sorted(
        (place for place in answers if place[0] in by_id),
        key=lambda place: (by_id[place[0]][0], *place[1:]),
    )
    graded: list[Graded] = []
    with bar(title, len(places)) as shown:
        for start in range(0, len(places), CHUNK):
            some = places[start : start + CHUNK]
            verdicts = judge([_case(by_id[place[0]][1], place, answers[place]) for place in some])
            for place, verdict in zip(some, verdicts, strict=True):
                item = by_id[place[0]][1]
                graded.append(_graded(benchmark, item, place, answers[place], verdict))
            shown.advance(len(some))
    return graded


def _case(item: Item, place: Place, answer: Answer) -> Case:
    return Case(answer.text, item.turns[place[1]].constraints, item.origin or item.id)


def _graded(
    benchmark: Benchmark, item: Item, place: Place, answer: Answer, verdict: Verdict
) -> Graded:
    _, turn, sample = place
    first = next((grade for grade in verdict.grades if grade is not None), None)
    if benchmark.extracts and first is None:
        first = Grade(False, None, "the response is empty")
    error = next((error for error in verdict.errors if error), "")
    return Graded(
        item,
        turn,
        sample,
        benchmark.marks(item, turn, verdict),
        first.read if first is not None else "",
        error or (first.reason if first is not None else ""),
        cut=answer.finish_reason == "length",
        failed=bool(error),
        # Of a blank response to instructions there is a grade too, which says less.
        row=_row(item, turn, sample, answer, verdict, first if benchmark.extracts else None),
    )


def _row(
    item: Item, turn: int, sample: int, answer: Answer, verdict: Verdict, first: Grade | None
) -> dict[str, Any]:
    """Return an answer as a row of samples.jsonl."""
    row: dict[str, Any] = {
        "id": item.id,
        "subset": item.subset,
        "turn": turn,
        "sample": sample,
        "prompt": item.turns[turn].question,
        "response": answer.text,
        "finish_reason": answer.finish_reason,
        "tokens": answer.response_tokens,
        "correct": verdict.passed,
    }
    if first is not None:
        return {**row, "read": first.read, "reason": first.reason}
    constraints = item.turns[turn].constraints
    judged = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    errors = {"errors": list(verdict.errors)} if any(verdict.errors) else {}
    told = {
        "instruction_id_list": [c.id for c in constraints],
        "kwargs": [dict(c.kwargs) for c in constraints],
    }
    return {**row, **told, **judged, **errors}
