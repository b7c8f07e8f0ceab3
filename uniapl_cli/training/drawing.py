"""What a step is made of: its batches, drawn from the sources of the active terms."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from uniapl_cli.monitoring.noise import HALF, halves, noisy_terms
from uniapl_cli.rewards.reference import Reference
from uniapl_cli.sources.held import Held
from uniapl_cli.sources.source import Source, SourceBatch, StepContext
from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.counting import Counts, counted
from uniapl_cli.training.learner import sources_of_learners
from uniapl_cli.training.references import NONE, References
from uniapl_cli.training.retry import MicroBatches
from uniapl_cli.training.settings import Settings
from uniapl_cli.training.state import State
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term


@dataclass(frozen=True)
class Drawing:
    """What a step updates from: its active terms, and their batches as drawn and as split.

    Terms whose source has no batch at this step are not among them.
    """

    active: Sequence[Term]
    drawn: Mapping[str, SourceBatch]
    batches: MicroBatches
    counts: Counts
    began: float
    sampled: float


def draw(
    step: int,
    state: State,
    plan: Plan,
    sources: Mapping[str, Source],
    settings: Settings,
    reference: Reference | None,
    references: References = NONE,
) -> Drawing:
    """Draw the batches of the step after `step` others; of the state, only what is drawn moves."""
    began, active = time.perf_counter(), plan.active(step)
    values, taught = plan.schedule_values(step), sources_of_learners(step, state.learners)
    drawn = next_batches(active, sources, state.streams, step, values, taught)
    sampled = time.perf_counter()
    learnt = {term.source for term in active}
    read = {n: references.shown(n, part, active) for n, part in drawn.items() if n in learnt}
    rows = {name: batch for name, batch in read.items() if batch is not None}
    active = [term for term in active if term.source in rows]
    rows = in_halves(
        rows, drawn, {t.source for t in active if t.name in noisy_terms(plan.measured)}
    )
    rows, counts = counted(active, rows)
    sizes = settings.micro_batch_tokens
    updates = settings.num_iterations * max(1, len(settings.updates))
    made = reference, updates, references.models
    batches = prepare(state.trainable, active, rows, sizes, *made)
    return Drawing(active, drawn, batches, counts, began, sampled)


def in_halves(
    rows: Mapping[str, Batch], drawn: Mapping[str, SourceBatch], sources: Collection[str]
) -> dict[str, Batch]:
    """Return batches of which those of some sources know the half that each row is in."""
    found = dict(rows)
    for name in sources:
        batch = rows[name]
        assert isinstance(batch, TokenBatch), "checked at load"
        groups = [one.group for one in drawn[name].rollouts] or range(len(batch.loss_mask))
        found[name] = batch.with_known({HALF: halves(groups)})
    return found


def next_batches(
    active: Sequence[Term],
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream[Any]],
    step: int,
    values: Mapping[str, float] = MappingProxyType({}),
    also: Collection[str] = (),
) -> dict[str, SourceBatch]:
    """Draw a batch from each source of the active terms, and `also` named, in `sources`' order.

    Each stream advances once, so sources that share a stream get the same examples. A source that
    takes from another one has that one drawn too.
    """
    needed = {*also, *(term.source for term in active)}
    held = {n: one for n, one in sources.items() if n in needed and isinstance(one, Held)}
    needed |= {one.of for one in held.values()}
    drawing = [sources[name] for name in sources if name in needed and name not in held]
    items = {stream: streams[stream].next() for stream in {one.stream: 0 for one in drawing}}
    drawn: dict[str, SourceBatch] = {}
    for name in (name for name in sources if name in needed):
        takers = {other for other, one in held.items() if one.of == name}
        own = [term for term in active if term.source == name or term.source in takers]
        rewards = list({t.reward: 0 for t in own if t.reward is not None})
        asked = {fact for term in own if term.source == name for fact in term.facts}
        asked |= {fact for taker in takers for fact in held[taker].facts}
        if name in held:
            context = StepContext([], step, rewards, _nothing, values, asked, dict(drawn))
            drawn[name] = held[name].draw(context)
            continue
        stream = streams[sources[name].stream]
        given = items[sources[name].stream]
        handed = list(given)

        def more(count: int, handed: list[Any] = handed, stream: Stream[Any] = stream) -> list[Any]:
            """Draw further items of the stream."""
            further = stream.next(count)
            handed.extend(further)
            return further

        context = StepContext(given, step, rewards, more, values, asked, dict(drawn))
        drawn[name] = replace(sources[name].draw(context), items=handed)
    return drawn


def _nothing(count: int) -> list[Any]:
    return []


def source_metrics(drawn: Mapping[str, SourceBatch]) -> dict[str, float]:
    """Return every source's metrics under the source's name."""
    return {
        f"{source}/{name}": value
        for source, part in drawn.items()
        for name, value in part.metrics.items()
    }
