"""Batches to gradients in one call, as a step of the loop does it."""

from uniapl_cli.sources import StepContext
from uniapl_cli.training.accumulate import accumulate, prepare


def accumulated_means(trainable, terms, weights, batches, rows, reference=None, references=None):
    """Add the gradient of the terms and return their means.

    A micro-batch has room for so many of a source's longest rows.
    """
    tokens = {name: room(batch, rows) for name, batch in batches.items()}
    micros = prepare(trainable, terms, batches, tokens, reference, references=references or {})
    return accumulate(trainable, terms, weights, micros)[0]


def room(batch, rows):
    """Return the tokens of so many of a batch's longest rows."""
    return rows * max(1, int(batch.row_lengths().max()))


def no_more(count):
    """Stand in for a stream that nothing more may be drawn from."""
    raise AssertionError(f"{count} more were asked for")


def drawn(source, items, step=0, rewards=(), more=no_more):
    """Return what a source makes of these items."""
    return source.draw(StepContext(items, step, rewards, more))
