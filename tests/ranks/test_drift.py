"""Weights that differ between ranks in a bit are refused, and the rank is named."""

import math

import pytest
import torch

from uniapl_cli.errors import RunError
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.ranks.drift import refuse_drift, sums


class Some(Ranks):
    """Ranks of which the weights of all are known."""

    def __init__(self, weights, sharded=False):
        self.world, self.weights, self.sharded = len(weights), weights, sharded

    def gather(self, part, doing):
        return [sums(one) for one in self.weights]


def weights(**changed):
    rng = torch.Generator().manual_seed(0)
    all_of = {name: torch.randn(3, 5, generator=rng) for name in ("a", "b", "c")}
    all_of["c"] = all_of["c"].bfloat16().t()
    return all_of | changed


def next_after(name):
    """A weight of which one number is the next one."""
    whole = weights()[name].clone()
    number = whole[1, 2].item()
    step = math.inf if number > 0 else -math.inf
    whole[1, 2] = torch.nextafter(whole[1, 2], torch.tensor(step, dtype=whole.dtype))
    return {name: whole}


@pytest.mark.parametrize("name", ["b", "c"])
@pytest.mark.parametrize("rank", [1, 2])
def test_a_rank_whose_weights_differ_in_a_bit_is_named(name, rank):
    all_of = [weights(), weights(), weights()]
    all_of[rank] = weights(**next_after(name))
    with pytest.raises(RunError, match=rf"step 7 .* rank {rank} .* first in '{name}'") as caught:
        refuse_drift(Some(all_of), all_of[0], 7)
    assert caught.value.got == [rank]


def test_equal_weights_pass_and_who_is_alone_or_holds_parts_is_not_asked():
    refuse_drift(Some([weights(), weights()]), weights(), 7)
    refuse_drift(ALONE, weights(), 7)
    refuse_drift(Some([weights(), weights(**next_after("b"))], sharded=True), weights(), 7)
    refuse_drift(Some([{}, {}]), {}, 7)
