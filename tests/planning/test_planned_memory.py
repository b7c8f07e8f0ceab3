"""What is planned is what the program's own tensors take, counted while it really runs."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation import Request
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.packing import PackedWeights, packed_bytes
from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.setup import (
    CACHE,
    FRAGMENTS,
    KEPT,
    LIBRARIES,
    OPTIMIZER,
    PACKED,
    Setup,
)
from uniapl_cli.planning.step import Draw, largest
from uniapl_cli.planning.tracker import WEIGHTS, Tracker
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.activations import checkpoint_activations
from uniapl_cli.training.adapter import Adapter
from uniapl_cli.training.optim import Optimizer, optimizers, trained
from uniapl_cli.training.policy import load_policy
from uniapl_cli.types import Sampling

PATH = resolve("tiny:teacher")
ADAMW = optimizers.bind(optimizers.options("adamw"))
GIB = 2**30


def new_setup(draw, **options):
    shape = AutoConfig.from_pretrained(PATH)
    options = {"precision": "float32", "device": "cpu", "memory": 4 * GIB} | options
    return Setup(
        make=lambda: AutoModelForCausalLM.from_config(shape, dtype=torch.float32),
        vocabulary=shape.vocab_size,
        optimizer=ADAMW,
        draws=(draw,),
        sampling=Sampling(),
        **options,
    )


def demonstrations(rows=16, micro=16, prompt=24, response=40):
    tokens = micro * (prompt + response)
    return Draw("demonstrations", TokenBatch, rows, prompt, response, tokens, pass_tokens=64)


def total(of):
    return sum(size for part, size in of.items() if part != LIBRARIES)


def really_trained(draw, precision, recomputed):
    """The bytes of all tensors at the peak of a second step, by phase."""
    policy = load_policy(PATH, "cpu", precision)
    if recomputed:
        checkpoint_activations(policy.model, precision)
    micros = list(draw.batch().split(draw.tokens, draw.pass_tokens))
    phases = {}
    with Tracker(policy.net.head.weight.shape[0]) as tracker:
        [weight.detach() for weight in policy.model.parameters()]  # they are seen from now on
        optimizer = ADAMW(policy.model)
        for _ in range(2):
            with tracker.phase():
                for micro in micros:
                    policy.forward(micro).sum().backward()
            phases["training"] = total(tracker.peak)
            with tracker.phase():
                optimizer.step(1e-6)
            phases["update"] = total(tracker.peak)
    return phases


@pytest.mark.parametrize(
    ("precision", "micro", "recomputed"),
    [("float32", 16, False), ("bfloat16", 4, False), ("float32", 4, True)],
)
def test_training(precision, micro, recomputed):
    draw = demonstrations(micro=micro)
    planned = measure(new_setup(draw, precision=precision, recomputed=recomputed))
    took = really_trained(draw, precision, recomputed)
    for phase in ("training", "update"):
        assert total(planned.phases[phase]) == pytest.approx(took[phase], rel=0.05), phase


def test_the_logits_of_a_large_vocabulary_are_chunked(monkeypatch):
    """Only so many exist at a time, on paper as in a run."""
    whole = total(measure(new_setup(demonstrations())).phases["training"])
    monkeypatch.setattr("uniapl_cli.training.scorer.token_logps.__kwdefaults__", CHUNKED)
    assert total(measure(new_setup(demonstrations())).phases["training"]) < whole


CHUNKED = {"bias": None, "finish": None, "temperature": 1.0, "budget": 2**15}


def really_sampled(draw, tracker, precision):
    policy = load_policy(PATH, "cpu", precision)
    generator = LocalGenerator(policy.model, Chat(policy.tokenizer), precision=precision)
    generator.stop_ids = {-1}
    count = draw.rows // draw.prompts
    requests = [
        Request(tuple(range(1, draw.prompt)) + (n + 1,), tuple(range(count)))
        for n in range(draw.prompts)
    ]
    with tracker:
        [weight.detach() for weight in policy.model.parameters()]
        list(generator.generate(requests, Sampling(max_new_tokens=draw.response)))
    return total(tracker.peak)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_sampling(precision):
    draw = replace(demonstrations(rows=32), prompts=8)
    setup = new_setup(draw, precision=precision)
    planned = dict(measure(setup).phases["sampling"])
    took = really_sampled(draw, Tracker(setup.vocabulary), precision)
    assert planned.pop(PACKED) > 0 and planned[CACHE] > 0
    assert planned.pop(OPTIMIZER) > 0
    assert total(planned) == pytest.approx(took, rel=0.25)


class Rounded(torch.optim.SGD):
    """Reads a number of what it is to update."""

    def step(self, closure=None):
        self.param_groups[0]["params"][0].sum().item()
        super().step(closure)


def reading_numbers(model):
    return Optimizer([(Rounded(trained(model).values(), 1.0), 1.0)])


def test_of_an_update_that_reads_numbers_the_state_is_what_it_says():
    setup = replace(new_setup(demonstrations(rows=2)), optimizer=reading_numbers)
    with pytest.raises(ModelError) as caught:
        measure(setup, ())
    assert "optim.kind=adamw" in caught.value.advice
    planned, none = (measure(replace(setup, state_bytes=n), ()) for n in (2, 0))
    assert planned.state == planned.trained / 2 and none.state == 0
    for phase in ("update", "training"):
        apart = total(planned.phases[phase]) - total(none.phases[phase])
        assert apart == pytest.approx(planned.state, abs=64)


def bound(name):
    """A registered optimiser, and what it says of its state."""
    if name == "adamw8bit":
        pytest.importorskip("bitsandbytes")
    options = optimizers.options(name)
    return optimizers.bind(options), optimizers.entry(options).traits.get("state_bytes")


@pytest.mark.parametrize("name", list(optimizers))
def test_the_optimisers_state(name):
    """What a dry run says of it, which makes no model, is what the optimiser keeps."""
    optimizer, said = bound(name)
    setup = replace(new_setup(demonstrations(rows=2)), optimizer=optimizer, state_bytes=said)
    planned = measure(setup, ())
    if said is not None:
        assert 0 < planned.state <= 1.01 * said * planned.trained / 4


def test_of_a_cpu_the_allocator_keeps_a_share_of_all_else():
    cpu, cuda = (measure(new_setup(demonstrations(), device=d)) for d in ("cpu", "cuda"))
    for parts in cpu.phases.values():
        assert parts[LIBRARIES] == KEPT["cpu"] + int(FRAGMENTS["cpu"] * total(parts))
    assert not any(LIBRARIES in parts for parts in cuda.phases.values())


def test_fewer_rows_are_decoded_where_less_is_free():
    draw = replace(demonstrations(rows=32), prompts=8)
    many, few = (measure(new_setup(draw, batch_tokens=n)).rows for n in (10_000, 200))
    assert many == 32 and 1 <= few < 32


def test_the_copy_for_sampling(new_policy):
    model = new_policy().model
    for dtype in (torch.float32, torch.bfloat16):
        said = packed_bytes(model, dtype, "cpu", 4 * GIB)
        copied = PackedWeights(model, dtype)._forwards
        assert said > 0 and len(copied) == sum(
            type(module) is torch.nn.Linear for module in model.modules()
        )
    assert packed_bytes(model, torch.float32, "cuda", 4 * GIB) == 0
    assert packed_bytes(model, torch.float32, "cpu", 1000) == 0


def test_a_reference_is_another_copy_and_an_adapter_needs_none():
    plain = measure(new_setup(demonstrations()))
    referred = measure(new_setup(demonstrations(), reference=True))
    weights = plain.phases["training"][WEIGHTS]
    both = [total(plan.phases[plan.phase]) for plan in (plain, referred)]
    assert both[1] - both[0] == pytest.approx(weights, rel=0.01)
    pytest.importorskip("peft")
    adapted = measure(new_setup(demonstrations(), reference=True, adapter=Adapter(rank=4)))
    assert "reference" not in adapted.phases["training"]
    assert adapted.trained < plain.trained / 5


def test_the_largest_micro_batch_decides():
    assert largest((demonstrations(micro=4), demonstrations(rows=2, micro=4))).rows == 4
    half, whole = (measure(new_setup(demonstrations(micro=n))).peak for n in (8, 16))
    assert half < whole


def test_nothing_is_computed():
    """A model that no machine holds is planned all the same."""
    shape = AutoConfig.from_pretrained(PATH)
    shape.update({"hidden_size": 65536, "intermediate_size": 2**20, "head_dim": 16384})
    make = lambda: AutoModelForCausalLM.from_config(shape, dtype=torch.float32)  # noqa: E731
    assert measure(replace(new_setup(demonstrations()), make=make)).peak > 2000 * GIB
