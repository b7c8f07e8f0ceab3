"""What a rank is planned to hold is what torch's own sharding holds of it, counted by torch."""

import pytest
import torch
from fake_ranks import fake_ranks, passes, shape, sharded
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from transformers import AutoModelForCausalLM

from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import GATHERED, OPTIMIZER, REFERENCE, SUMMED, Setup
from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.tracker import WEIGHTS
from uniapl_cli.planning.world import World
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.optim import optimizers
from uniapl_cli.types import Sampling

SMALL = shape(3, 256, 8192)
ROWS, WIDTH = 2, 64


def planned(world, of=SMALL, micros=1, prompts=0, **options):
    """A plan of ranks with so many micro-batches each, all of whose tokens are learnt."""
    rows = ROWS * micros * world.ranks
    draw = Draw("rows", TokenBatch, rows, 1, WIDTH - 1, ROWS * WIDTH, 1, prompts)
    options = {"precision": "float32", "device": "cuda", "memory": 2**30} | options
    return measure(
        Setup(
            make=lambda: AutoModelForCausalLM.from_config(of, dtype=torch.float32),
            vocabulary=of.vocab_size,
            optimizer=optimizers.bind(optimizers.options("adamw")),
            draws=(draw,),
            sampling=Sampling(),
            world=world,
            **options,
        )
    )


def held(world, of, precision, recomputed, micros):
    """The bytes that torch says one rank holds at its peak, with the optimiser's state."""
    with fake_ranks(world) as mesh, FakeTensorMode():
        model = AutoModelForCausalLM.from_config(of, dtype=torch.float32).eval()
        if recomputed:
            checkpoint_activations(model, precision)
        policy = sharded(model, mesh, precision)
        optimizer = torch.optim.AdamW(policy.net.parameters(), foreach=False)
        with FSDPMemTracker(policy.net, optimizer) as tracker:
            for _ in range(2):
                for _ in range(micros):
                    passes(policy, 1, ROWS, WIDTH)
                    tracker.reset_mod_stats()
                optimizer.step()
                optimizer.zero_grad()
    return tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]


@pytest.mark.parametrize(
    ("world", "of", "precision", "recomputed", "micros"),
    [
        (8, SMALL, "float32", False, 1),
        (8, SMALL, "bfloat16", True, 2),
        (64, SMALL, "bfloat16", False, 2),
        (8, shape(2, 256, 8192, tied=False), "float32", True, 1),
    ],
)
def test_training(world, of, precision, recomputed, micros):
    ranks = World(world, 1, "full")
    usage = planned(ranks, of, micros, precision=precision, recomputed=recomputed)
    took = held(world, of, precision, recomputed, micros)
    assert usage.peak == pytest.approx(took, rel=0.03)


def test_parts():
    """What stays is divided, what passes by is not."""
    one, many = planned(World()), planned(World(8, 1, "full"))
    for phase in ("training", "update"):
        for part in (WEIGHTS, OPTIMIZER):
            whole = one.phases[phase][part]
            assert many.phases[phase][part] == pytest.approx(whole / 8, rel=0.01), (phase, part)
    assert many.phases["training"][GATHERED] >= max(many.units)
    assert many.units[0] > many.units[1] == many.units[2]
    assert sum(many.units) == one.trained


def test_all_weights_are_whole_while_responses_are_sampled():
    usage = planned(World(2, 1, "full"), prompts=4)
    assert usage.phases["sampling"][GATHERED] == sum(usage.units)
    elsewhere = planned(World(2, 1, "full"), prompts=4, elsewhere=True)
    assert "sampling" not in elsewhere.phases


def test_a_reference_is_divided_too():
    usage = planned(World(4, 1, "full"), reference=True)
    assert usage.phases["training"][REFERENCE] == pytest.approx(usage.reference / 4, rel=0.01)
    assert usage.phases["reference"][GATHERED] >= max(usage.units)


def test_what_is_offloaded_is_the_hosts():
    usage = planned(World(8, 2, "full", offload=True))
    for parts in usage.phases.values():
        assert not {WEIGHTS, OPTIMIZER} & {name for name in parts if parts[name]}
    assert usage.host == pytest.approx((2 * usage.trained + usage.state) / 2, rel=0.01)
    assert usage.phases["training"][GATHERED] > 0


def test_without_sharding_a_piece_of_the_gradients_is_on_its_way():
    one, many = planned(World()), planned(World(8, 1, "none"))
    assert set(many.phases["update"]) - set(one.phases["update"]) == {SUMMED}
    assert one.phases["training"] == many.phases["training"]


def test_auto_is_decided_by_the_card():
    small, large = (planned(World(2, card=size)).world.shard for size in (2**20, 2**40))
    assert (small, large) == ("full", "none")
