"""What to change where a run does not fit, by how much it saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import DISCRIMINATOR, Setup, Usage
from uniapl_cli.planning.step import largest
from uniapl_cli.planning.tracker import ACTIVATIONS, LOGITS
from uniapl_cli.training.adapter import Adapter
from uniapl_cli.training.optim import optimizers

# Of the room that there is, what a smaller micro-batch is to fill.
FILLED = 0.9
# Bytes of the state of 8 bits for a trained weight.
EIGHT_BIT = optimizers.entry(optimizers.options("adamw8bit")).traits["state_bytes"]


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
    # Whether it trains an adapter instead of all weights.
    adapts: bool = False


def levers(setup: Setup, usage: Usage, room: int) -> list[Lever]:
    """Return the changes that lower the peak, the one that lowers it most in front.

    Where none is enough that leaves all weights trained, such ones together are the last, as few as
    are enough, the adapter behind all others.
    """
    found = []
    for change in _changes(setup, usage, room):
        new = measure(change.apply(setup), change.phases)
        peak = Usage({**usage.phases, **new.phases} if change.phases else new.phases).peak
        if peak < usage.peak:
            found.append((Lever((change.text,), peak), change))
    found.sort(key=lambda pair: pair[0].peak)
    useful = sorted((change for _, change in found), key=lambda change: change.adapts)
    enough = any(lever.peak <= room for lever, change in found if not change.adapts)
    joined = [] if enough or len(found) < 2 else [_joined(setup, useful, room)]
    return [lever for lever, _ in found] + joined


def _joined(setup: Setup, changes: Sequence[_Change], room: int) -> Lever:
    """Return changes one on top of the other, until it fits or there are no more."""
    changed, peak = setup, room + 1
    texts: tuple[str, ...] = ()
    for change in changes:
        if peak > room:
            changed, texts = change.apply(changed), (*texts, change.text)
            peak = measure(changed).peak
    return Lever(texts, peak)


def _changes(setup: Setup, usage: Usage, room: int) -> Iterator[_Change]:
    phase, parts = usage.phase, usage.phases[usage.phase]
    if phase in ("training", "reference") and largest(setup.draws).rows > 1:
        passed = parts.get(ACTIVATIONS, 0) + parts.get(LOGITS, 0)
        share = FILLED * max(room - (usage.peak - passed), 0) / max(passed, 1)
        yield _smaller(setup, share)
    if phase == "training" and not setup.recomputed:
        text = "training.checkpoint_activations=true"
        yield _Change(text, lambda now: replace(now, recomputed=True), {"training"})
    at_sampling = phase in ("sampling", "scoring")
    if at_sampling and parts.get(DISCRIMINATOR):
        text = "discriminator.kind=polar_server"
        yield _Change(text, lambda now: replace(now, discriminator=None))
    if at_sampling and not setup.elsewhere:
        tokens = max(1, usage.rows // 2) * max(d.prompt + d.response for d in setup.draws)
        text = f"generation.batch_tokens={tokens}"
        touched = {"sampling", "scoring"}
        yield _Change(text, lambda now: replace(now, batch_tokens=tokens), touched)
    if (setup.state_bytes or 0) > EIGHT_BIT:
        text = "optim.kind=adamw8bit"
        yield _Change(text, lambda now: replace(now, optimizer=None, state_bytes=EIGHT_BIT))
    if setup.adapter is None and find_spec("peft"):
        adapter = Adapter()
        text = f"model.adapter.rank={adapter.rank}"
        yield _Change(text, lambda now: replace(now, adapter=adapter), adapts=True)


def _smaller(setup: Setup, share: float) -> _Change:
    """Return the change to micro-batches of that share of the tokens, or of one row."""
    one = largest(setup.draws)
    tokens = max(1, int(share * one.rows)) * one.width

    def apply(now: Setup) -> Setup:
        return replace(now, draws=tuple(replace(draw, tokens=tokens) for draw in now.draws))

    return _Change(f"training.micro_batch_tokens={tokens}", apply, {"training", "reference"})
