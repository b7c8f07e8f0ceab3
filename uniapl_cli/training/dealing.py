"""The micro-batches of a step, and which of them a rank computes."""

from __future__ import annotations

from uniapl_cli.ranks import Ranks
from uniapl_cli.tensors import Batch


def padded_tokens(batch: Batch) -> int:
    """Return the tokens that a pass over a batch computes."""
    return len(batch.loss_mask) * max(1, int(batch.row_lengths().max()))


def cut(batch: Batch, tokens: int, a_pass: int, ranks: int) -> list[Batch]:
    """Return micro-batches of at most `tokens` padded tokens, or of one row.

    They are smaller where there would be fewer than ranks.
    """
    micros = list(batch.split(tokens, a_pass))
    while len(micros) < min(ranks, len(batch.loss_mask)):
        # A row by itself becomes no smaller, however long it is.
        tokens = max(padded_tokens(micro) for micro in micros if len(micro.loss_mask) > 1) // 2
        micros = list(batch.split(tokens, a_pass))
    return micros


def dealt(ranks: Ranks, batch: Batch, tokens: int, a_pass: int) -> list[Batch]:
    """Return this rank's micro-batches of those that a batch is `cut` into.

    Where ranks hold parts of the weights each needs all the others at every pass, so a rank that
    has one fewer gets one that is empty.
    """
    micros = cut(batch, tokens, a_pass, ranks.world)
    mine = ranks.deal(micros, padded_tokens)
    if ranks.sharded and len(mine) * ranks.world < len(micros):
        smallest = min(micros, key=padded_tokens)
        mine.append(smallest.emptied().take(smallest.loss_mask.new_tensor([0]).long()))
    return mine
