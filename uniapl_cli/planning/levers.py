"""What to change where a run does not fit, by how much it saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from importlib.util import find_spec

from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import DISCRIMINATOR, Setup, Usage
from uniapl_cli.planning.step import largest
from uniapl_cli.planning.tracker import ACTIVATIONS, LOGITS
from uniapl_cli.training.adapter import Adapter

# Of the room that there is, what a smaller micro-batch is to fill.
FILLED = 0.9


@dataclass(frozen=True)
class Lever:
    """Changes of keys, and the bytes at the peak with them alone."""

    changes: tuple[str, ...]
    peak: int


@dataclass(frozen=True)
class _Change:
    text: str
    apply: Callable[[Setup], Setup]
    # The phases that it changes; None: all.
    phases: Collection[str] | None = None


def levers(setup: Setup, usage: Usage, room: int) -> list[Lever]:
    """Return the changes that lower the peak, the one that lowers it most in front.

    Where none is enough, all of them together are the last.
    """
    found, useful = [], []
    for change in _changes(setup, usage, room):
        new = measure(change.apply(setup), change.phases)
        peak = Usage({**usage.phases, **new.phases} if change.phases else new.phases).peak
        if peak < usage.peak:
            found.append(Lever((change.text,), peak))
            useful.append(change)
    found.sort(key=lambda lever: lever.peak)
    if len(found) > 1 and found[0].peak > room:
        together = measure(reduce(lambda now, change: change.apply(now), useful, setup))
        found.append(Lever(tuple(change.text for change in useful), together.peak))
    return found


def _changes(setup: Setup, usage: Usage, room: int) -> Iterator[_Change]:
    phase, parts = usage.phase, usage.phases[usage.phase]
    if phase in ("training", "reference") and largest(setup.draws).rows > 1:
        passed = parts.get(ACTIVATIONS, 0) + parts.get(LOGITS, 0)
        share = FILLED * max(room - (usage.peak - passed), 0) / max(passed, 1)
        yield _smaller(setup, share)
    if phase == "training" and not setup.recomputed:
        text = "training.checkpoint_activations=true"
        yield _Change(text, lambda now: replace(now, recomputed=True), {"training"})
    if phase in ("sampling", "scoring"):
        if parts.get(DISCRIMINATOR):
            text = "discriminator.kind=polar_server"
            yield _Change(text, lambda now: replace(now, discriminator=None))
        tokens = max(1, usage.rows // 2) * max(d.prompt + d.response for d in setup.draws)
        text = f"generation.batch_tokens={tokens}"
        touched = {"sampling", "scoring"}
        yield _Change(text, lambda now: replace(now, batch_tokens=tokens), touched)
    if setup.adapter is None and find_spec("peft"):
        adapter = Adapter()
        text = f"model.adapter.rank={adapter.rank}"
        yield _Change(text, lambda now: replace(now, adapter=adapter))


def _smaller(setup: Setup, share: float) -> _Change:
    """Return the change to micro-batches of that share of the tokens, or of one row."""
    one = largest(setup.draws)
    tokens = max(1, int(share * one.rows)) * one.width

    def apply(now: Setup) -> Setup:
        return replace(now, draws=tuple(replace(draw, tokens=tokens) for draw in now.draws))

    return _Change(f"training.micro_batch_tokens={tokens}", apply, {"training", "reference"})
