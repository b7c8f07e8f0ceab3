"""The seconds of a step: operations by a card's rate, bytes by its bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

from uniapl_cli.planning.cards import Card
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.step import Draw, all_passes

# Shares of a card's rates that are assumed to be reached.
RATE_SHARE = 0.4
BANDWIDTH_SHARE = 0.6
# Seconds that a token of all rows takes at the least: its kernels' launches, by a CUDA graph.
LAUNCH = 0.005
# Bytes a second of a host's memory, and of a card's way to it: what an update on the CPU goes by.
HOST, HOST_LINK = 100e9, 25e9


@dataclass(frozen=True)
class Work:
    """Tokens of a step: read in training with padding, learnt from, sampled, read by prompts.

    Of draws as one rank's, they are the busiest one's.
    """

    read: int
    learnt: int
    sampled: int
    prompts: int


def work(draws: tuple[Draw, ...]) -> Work:
    """Return the tokens of a step."""
    passes = all_passes(draws)
    return Work(
        read=sum(one.tokens for one in passes),
        learnt=sum(one.learnt for one in passes),
        sampled=sum(draw.own_rows * draw.response for draw in draws if draw.prompts),
        prompts=sum(draw.own_prompts * draw.prompt for draw in draws),
    )


@dataclass(frozen=True)
class Rates:
    """What a card is assumed to reach: operations and bytes a second."""

    flops: float
    bandwidth: float

    @classmethod
    def of(cls, card: Card) -> Rates | None:
        """Return the rates of a card; None where they are not known."""
        if card.flops is None or card.bandwidth is None:
            return None
        return cls(RATE_SHARE * card.flops * 1e12, BANDWIDTH_SHARE * card.bandwidth * 1e9)


def seconds(setup: Setup, usage: Usage, rates: Rates, passes: int) -> dict[str, float]:
    """Return the seconds of a step by phase. passes: updates a step makes from its batches.

    Forward 2 operations a weight and token, backward 4; once more forward where activations are
    recomputed. The head's products are in TF32 or float32, at half the rate of bfloat16. Of several
    ranks it is the busiest one's, without what they send each other.
    """
    done = work(setup.own)
    spent: dict[str, float] = {}
    if done.sampled:
        if not setup.elsewhere:
            spent["sampling"] = _sampling(setup, usage, rates, done)
        if setup.discriminator is not None:
            scored = sum(d.own_rows * setup.discriminator.width for d in setup.sampled)
            spent["scoring"] = 2 * usage.scorer * scored / rates.flops
    forward = _forward(setup, usage)
    head = 4 * usage.head * done.learnt
    if setup.reference:
        spent["reference"] = (forward + head) / rates.flops
    if setup.corrected and passes > 1:  # by the policy as it is before the first of them
        spent["correction"] = (forward + head) / rates.flops
    # The head's logits are recomputed in any case.
    operations = passes * ((4 if setup.recomputed else 3) * forward + 4 * head)
    spent["training"] = operations / rates.flops
    spent["update"] = passes * _update(usage, rates)
    return spent


def _update(usage: Usage, rates: Rates) -> float:
    """Return the seconds of reading and writing weights, moments and gradients."""
    world = usage.world
    moved = 5 * usage.trained + 2 * usage.state
    if not world.full:
        return moved / rates.bandwidth
    part = moved / world.ranks
    return world.of_host * part / HOST if world.offload else part / rates.bandwidth


def _forward(setup: Setup, usage: Usage) -> float:
    """Return the operations of reading a step's batches up to the head."""
    return sum(
        2.0 * one.tokens * (usage.layers + usage.attention * one.width / 2)
        for one in all_passes(setup.own)
    )


def _sampling(setup: Setup, usage: Usage, rates: Rates, done: Work) -> float:
    """Return the seconds of sampling: prompts by the rate, tokens by what each of a row takes.

    That is the most of what is read, what is computed, and LAUNCH.
    """
    prompts = 2 * usage.layers * done.prompts / rates.flops
    longest = max(draw.response for draw in setup.sampled)
    drawn = max(longest, done.sampled / usage.rows)
    width = max(draw.prompt + draw.response / 2 for draw in setup.sampled)
    weights = usage.layers * setup.dtype.itemsize + 4 * usage.head
    read = (weights + usage.rows * width * usage.token_bytes) / rates.bandwidth
    computed = 2 * usage.rows * (usage.layers + 2 * usage.head) / rates.flops
    return prompts + drawn * max(read, computed, LAUNCH)
