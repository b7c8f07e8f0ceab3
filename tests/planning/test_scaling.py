"""Communication by the slowest link; what of a step divides by the cards, and what does not."""

from dataclasses import replace

import pytest
import torch

from uniapl_cli.planning.cards import CARDS
from uniapl_cli.planning.scaling import LINK_SHARE, communication, scaling
from uniapl_cli.planning.seconds import HOST_LINK, Rates, seconds
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.traffic import Moved
from uniapl_cli.planning.world import World
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Sampling

H100 = CARDS["h100"]
MOVED = {"weights": Moved(1, 2e9), "gradients": Moved(1, 1e9)}
FULL = World(4, 1, "full")


def test_a_ring_is_as_slow_as_its_slowest_link():
    inside = communication(MOVED, FULL, H100, 50)
    assert inside == pytest.approx(3e9 / (LINK_SHARE * 450e9))
    two_hosts = replace(FULL, hosts=2)
    assert communication(MOVED, two_hosts, H100, 5) == pytest.approx(3e9 / (LINK_SHARE * 10e9))
    assert communication(MOVED, two_hosts, H100, 1e6) == inside
    assert communication(MOVED, FULL, replace(H100, link=None), 50) is None


def test_parts_in_the_hosts_memory_go_to_it_and_come_from_it():
    inside, offloaded = (
        communication(MOVED, replace(FULL, offload=offload), H100, 50) for offload in (False, True)
    )
    assert offloaded - inside == pytest.approx(1e9 / HOST_LINK)


def new_setup(**options):
    """Eight micro-batches of two rows."""
    return Setup(
        make=lambda: None,
        vocabulary=100,
        precision="float32",
        device="cuda",
        memory=2**30,
        optimizer=None,
        draws=(Draw("rows", TokenBatch, 16, 8, 8, 32, 1),),
        sampling=Sampling(),
        **options,
    )


def usage(world):
    return Usage(trained=4 * 10**9, state=8 * 10**9, layers=10**9, head=10**8, rows=1, world=world)


def compared(world):
    setup, used, rates = new_setup(world=world), usage(world), Rates(1e14, 1e12)
    return scaling(setup, used, rates, 1, seconds(setup, used, rates, 1))


def test_training_divides_and_an_update_of_all_weights_does_not():
    none, full = (compared(World(4, 1, shard)) for shard in ("none", "full"))
    assert none.undivided["training"] == full.undivided["training"] == 0
    assert full.efficiency == pytest.approx(1)
    update = 36e9 / 1e12
    assert none.undivided["update"] == pytest.approx(3 / 4 * update)
    assert none.many == pytest.approx(none.one / 4 + 3 / 4 * update)
    assert none.efficiency < 1


def test_ranks_that_do_not_divide_the_micro_batches_wait():
    spent = []
    for ranks in (1, 3, 8, 16, 32):  # of the 16 rows, by themselves, on more than 8
        world = World(ranks, 1, "full")
        spent.append(seconds(new_setup(world=world), usage(world), Rates(1e14, 1e12), 1))
    one, *others = (of["training"] for of in spent)
    assert [other / one for other in others] == pytest.approx([3 / 8, 1 / 8, 1 / 16, 1 / 16])
    assert compared(World(3, 1, "full")).undivided["training"] > 0


def test_an_update_on_the_cpu_takes_longer():
    full, off = (compared(World(4, 1, "full", offload=offload)) for offload in (False, True))
    assert off.undivided["update"] > 0 == full.undivided["update"]


def test_prompts_are_shared():
    draw = Draw("rollouts", TokenBatch, 40, 8, 8, 32, 1, prompts=10, ranks=4)
    assert (draw.own_prompts, draw.own_rows) == (3, 12)
    assert len(draw.passes) == 5 and len(replace(draw, ranks=1).passes) == 20
    assert torch.tensor([one.rows for one in draw.passes]).eq(2).all()
