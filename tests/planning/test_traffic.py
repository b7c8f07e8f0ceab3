"""The collectives of a step are those of the plan: linear in layers and passes, in nothing else."""

from dataclasses import replace

import pytest
import torch
from fake_ranks import Collectives, fake_ranks, passes, shape, sharded
from transformers import AutoModelForCausalLM

from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import Setup
from uniapl_cli.planning.step import Draw
from uniapl_cli.planning.traffic import traffic
from uniapl_cli.planning.world import World
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.optim import optimizers
from uniapl_cli.types import Sampling

GATHER, SCATTER = "_allgather_base_", "_reduce_scatter_base_"


def planned(world, layers=2, rows=8, micro=1, width=16, **options):
    """A setup of rows of `width` tokens, `micro` to a micro-batch, and what it takes."""
    of = shape(layers)
    setup = Setup(
        make=lambda: AutoModelForCausalLM.from_config(of, dtype=torch.float32),
        vocabulary=of.vocab_size,
        precision="float32",
        device="cuda",
        memory=2**30,
        optimizer=optimizers.bind(optimizers.options("adamw")),
        draws=(Draw("demonstrations", TokenBatch, rows, 4, width - 4, micro * width, 1),),
        sampling=Sampling(),
        world=world,
        **options,
    )
    return setup, measure(setup, ())


def counted(world, layers, micros, width):
    """What one rank calls in `micros` passes."""
    model = AutoModelForCausalLM.from_config(shape(layers), dtype=torch.float32)
    with fake_ranks(world) as mesh:
        policy = sharded(model, mesh)
        with Collectives() as found:
            passes(policy, micros, width=width)
    return found.calls


@pytest.mark.parametrize("layers", [2, 4])
@pytest.mark.parametrize(("ranks", "micros", "width"), [(2, 4, 16), (2, 4, 48), (8, 1, 16)])
def test_collectives_under_full_sharding(layers, ranks, micros, width):
    setup, usage = planned(World(ranks, 1, "full"), layers, rows=ranks * micros, width=width)
    moved = traffic(setup, usage, 1)
    assert counted(ranks, layers, micros, width) == {
        GATHER: moved["weights"].calls,
        SCATTER: moved["gradients"].calls,
    }
    assert moved["weights"].calls == micros * 2 * (layers + 1)


def test_bytes_under_full_sharding():
    """Each unit's gradients are sent once a pass, and its weights twice."""
    (setup, usage), (_, two) = planned(World(4, 1, "full")), planned(World(4, 1, "full"), rows=4)
    moved = traffic(setup, usage, 1)
    whole = sum(usage.units)
    assert usage.trained == whole and len(usage.units) == 3
    assert moved["gradients"].bytes == 2 * whole * 3 / 4  # of two micro-batches a rank
    assert moved["weights"].bytes == 2 * 2 * whole * 3 / 4
    more = traffic(setup, usage, 3)
    assert more["weights"].bytes == 3 * moved["weights"].bytes
    assert two.units == usage.units


def test_a_reference_is_gathered_once_a_pass():
    setup, usage = planned(World(4, 1, "full"), reference=True)
    moved = traffic(setup, usage, 1)
    assert moved["reference"].calls == 2 * 3
    assert moved["reference"].bytes == 2 * usage.reference * 3 / 4
    assert "correction" not in traffic(replace(setup, corrected=True), usage, 1)
    assert traffic(replace(setup, corrected=True), usage, 2)["correction"].calls == 2 * 3


def test_without_sharding_gradients_are_summed_once_an_update():
    setup, usage = planned(World(4, 1, "none"))
    one, two = (traffic(setup, usage, updates) for updates in (1, 2))
    assert set(one) == {"gradients"}
    assert one["gradients"].bytes == 2 * usage.trained * 3 / 4
    assert one["gradients"].calls == 1, "all of them are less than a piece"
    assert two["gradients"].bytes == 2 * one["gradients"].bytes


def test_one_rank_sends_nothing():
    assert traffic(*planned(World(1, 1, "full")), 1) == {}


def test_responses_go_to_all():
    setup, usage = planned(World(4, 1, "none"))
    draw = replace(setup.draws[0], source="rollouts", prompts=4)
    moved = traffic(replace(setup, draws=(draw,)), usage, 1)
    assert moved["responses"].bytes == 8 * 8 * draw.response * 3 / 4
