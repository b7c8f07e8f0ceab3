"""When a model is sharded by itself: where it would take more than half of a card."""

import pytest

from uniapl_cli.ranks.sharding_rule import bytes_to_train, resolve_shard

GIB = 2**30


@pytest.mark.parametrize(
    ("shard", "needed", "world", "resolved"),
    [
        ("auto", 40 * GIB, 8, "none"),
        ("auto", 40 * GIB + 1, 8, "full"),
        ("auto", 400 * GIB, 1, "none"),
        ("full", 1, 8, "full"),
        ("full", 400 * GIB, 1, "none"),
        ("none", 400 * GIB, 8, "none"),
    ],
)
def test_resolved(shard, needed, world, resolved):
    assert resolve_shard(shard, needed, 80 * GIB, world) == resolved


def test_bytes():
    """Weights and gradients of 4 bytes, and the state; of what is frozen the weights alone."""
    assert bytes_to_train(1000, 0, 8) == 16_000
    assert bytes_to_train(10, 2000, 2) == 2100
