"""What to change where a run does not fit, by how much it saves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
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
    """A change of one key, and the bytes at the peak with it alone."""

    change: str
    peak: int


@dataclass(frozen=True)
class _Change:
    text: str
    setup: Setup
    # The phases that it changes; None: all.
    phases: Collection[str] | None = None


def levers(setup: Setup, usage: Usage, room: int) -> list[Lever]:
    """Return the changes that lower the peak, the one that lowers it most in front."""
    found = []
    for change in _changes(setup, usage, room):
        new = measure(change.setup, change.phases)
        peak = Usage({**usage.phases, **new.phases} if change.phases else new.phases).peak
        if peak < usage.peak:
            found.append(Lever(change.text, peak))
    return sorted(found, key=lambda lever: lever.peak)


def _changes(setup: Setup, usage: Usage, room: int) -> Iterator[_Change]:
    phase, parts = usage.phase, usage.phases[usage.phase]
    if phase in ("training", "reference"):
        passed = parts.get(ACTIVATIONS, 0) + parts.get(LOGITS, 0)
        share = FILLED * max(room - (usage.peak - passed), 0) / max(passed, 1)
        if smaller := _smaller(setup, share):
            yield smaller
    if phase in ("sampling", "scoring"):
        if parts.get(DISCRIMINATOR):
            text = "discriminator.kind=polar_server"
            yield _Change(text, replace(setup, discriminator=None))
        tokens = max(1, usage.rows // 2) * max(d.prompt + d.response for d in setup.draws)
        text = f"generation.batch_tokens={tokens}"
        yield _Change(text, replace(setup, batch_tokens=tokens), {"sampling", "scoring"})
    if setup.adapter is None and find_spec("peft"):
        yield _Change("model.adapter={rank: 16}", replace(setup, adapter=Adapter()))


def _smaller(setup: Setup, share: float) -> _Change | None:
    """Return the change to micro-batches of that share of the tokens; None: they are of one row."""
    one = largest(setup.draws)
    if one.rows == 1:
        return None
    tokens = max(1, int(share * one.rows)) * one.width
    draws = tuple(replace(draw, tokens=tokens) for draw in setup.draws)
    text = f"training.micro_batch_tokens={tokens}"
    return _Change(text, replace(setup, draws=draws), {"training", "reference"})
