"""What to change where a run does not fit, by how much it saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import DISCRIMINATOR, Setup, Usage
from uniapl_cli.planning.step import largest
from uniapl_cli.planning.tracker import ACTIVATIONS, LOGITS
from uniapl_cli.planning.world import OF_HOST
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

    @property
    def key(self) -> str:
        """The key that is set."""
        return self.text.partition("=")[0]


def levers(setup: Setup, usage: Usage, room: int) -> list[Lever]:
    """Return the changes that lower the peak, the one that lowers it most in front.

    Where none is enough that leaves all weights trained, such ones together follow, as few as are
    enough, the adapter behind all others. More cards are the last.
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
    joined = [] if enough else [_joined(setup, usage, useful, room)]
    several = [lever for lever in joined if len(lever.changes) > 1]
    return [lever for lever, _ in found] + several + _more_cards(setup, usage, room)


def _joined(setup: Setup, usage: Usage, changes: Sequence[_Change], room: int) -> Lever:
    """Return changes one on top of the other, until it fits or there are no more.

    One that lowers the peak no more is left out. Where another phase has the peak then, what
    changes that one is next.
    """
    left = list(changes)
    made: dict[str, str] = {}
    while left and usage.peak > room:
        change = left.pop(0)
        new = measure(changed := change.apply(setup))
        if new.peak >= usage.peak:
            continue
        made[change.key] = change.text
        if new.phase != usage.phase or not left:
            known = {*made, *(other.key for other in left)}
            left = [o for o in _changes(changed, new, room) if o.key not in known] + left
            left.sort(key=lambda other: other.adapts)
        setup, usage = changed, new
    return Lever(tuple(made.values()), usage.peak)


def _more_cards(setup: Setup, usage: Usage, room: int) -> list[Lever]:
    """Return the fewest cards, of those tried, that are enough; else the most, if they help."""
    world, found = setup.world, []
    for ranks in (max(OF_HOST, 2 * world.ranks), max(2 * OF_HOST, 4 * world.ranks)):
        of_host = max(OF_HOST, world.of_host)
        hosts = -(-ranks // of_host)
        more = measure(replace(setup, world=replace(world, ranks=ranks, hosts=hosts)))
        found = [Lever((f"torchrun --nnodes {hosts} --nproc-per-node {of_host}",), more.peak)]
        if more.peak <= room:
            break
    return [lever for lever in found if lever.peak < usage.peak]


def _of_ranks(setup: Setup, usage: Usage) -> Iterator[_Change]:
    """Yield what several ranks may do otherwise."""
    if usage.world.ranks > 1 and not usage.world.full:
        yield _in_world("parallel.shard=full", shard="full")
    if usage.world.full and usage.phase in ("sampling", "scoring") and not setup.elsewhere:
        yield _Change("generation.kind=vllm", lambda now: replace(now, elsewhere=True))
    if usage.world.full and not usage.world.offload:
        yield _in_world("parallel.offload=true", offload=True)


def _in_world(text: str, **options: Any) -> _Change:
    return _Change(text, lambda now: replace(now, world=replace(now.world, **options)))


def _changes(setup: Setup, usage: Usage, room: int) -> Iterator[_Change]:
    phase, parts = usage.phase, usage.phases[usage.phase]
    yield from _of_ranks(setup, usage)
    if phase in ("training", "reference") and largest(setup.own).rows > 1:
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
    # Its package knows no sharded weights.
    if (setup.state_bytes or 0) > EIGHT_BIT and not usage.world.full:
        text = "optim.kind=adamw8bit"
        yield _Change(text, lambda now: replace(now, optimizer=None, state_bytes=EIGHT_BIT))
    if setup.adapter is None and find_spec("peft"):
        adapter = Adapter()
        text = f"model.adapter.rank={adapter.rank}"
        yield _Change(text, lambda now: replace(now, adapter=adapter), adapts=True)


def _smaller(setup: Setup, share: float) -> _Change:
    """Return the change to micro-batches of that share of the tokens, or of one row."""
    one = largest(setup.own)
    tokens = max(1, int(share * one.rows)) * one.width

    def apply(now: Setup) -> Setup:
        return replace(now, draws=tuple(replace(draw, tokens=tokens) for draw in now.draws))

    return _Change(f"training.micro_batch_tokens={tokens}", apply, {"training", "reference"})
