"""Batches to gradients in one call, as a step of the loop does it."""

from uniapl_cli.sources import StepContext
from uniapl_cli.training.accumulate import accumulate, prepare


def accumulated_means(trainable, terms, weights, batches, micro_batch_size, reference=None):
    """Add the gradient of the terms and return their means."""
    sizes = dict.fromkeys(batches, micro_batch_size)
    micros = prepare(trainable, terms, batches, sizes, reference)
    return accumulate(trainable, terms, weights, micros)


def no_more(count):
    """Stand in for a stream that nothing more may be drawn from."""
    raise AssertionError(f"{count} more were asked for")


def drawn(source, items, step=0, rewards=(), more=no_more):
    """Return what a source makes of these items."""
    return source.draw(StepContext(items, step, rewards, more))
