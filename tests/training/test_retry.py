"""Where an allocator refuses, a step is tried again at half the tokens, exactly; once."""

import logging

import pytest
import torch

from uniapl_cli.errors import OutOfMemory
from uniapl_cli.objectives import objectives
from uniapl_cli.reasons import is_refusal
from uniapl_cli.training.accumulate import prepare
from uniapl_cli.training.retry import KEY, padded_tokens
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update

LENGTHS = [30, 28, 29, 27, 30, 25, 26, 30]
# What torch, oneDNN and Python say of it.
REFUSALS = {
    "torch's on a CPU": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 4161536 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "torch's on a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "oneDNN's": RuntimeError("could not create a primitive"),
    "Python's": MemoryError(),
}


class Refusing(torch.autograd.Function):
    """Passes values through, forward and back, where there are no more than `most`."""

    @staticmethod
    def forward(ctx, values, phase, most, error):
        ctx.told = phase, most, error
        if phase == "forward pass" and values.numel() > most:
            raise error
        return values.clone()

    @staticmethod
    def backward(ctx, slopes):
        phase, most, error = ctx.told
        if phase == "backward pass" and slopes.numel() > most:
            raise error
        return slopes, None, None, None


class Small:
    """A policy in so little memory that `most` tokens can be computed at a time in a phase."""

    def __init__(self, policy, phase, most, error):
        self.policy, self.model, self.device = policy, policy.model, policy.device
        self.ranks = policy.ranks
        self.told = phase, most, error

    def forward(self, batch):
        torch.rand(1)  # as dropout would
        return Refusing.apply(self.policy.forward(batch), *self.told)


def terms():
    surrogate = objectives.bind(objectives.options("surrogate", reward="verifier"))
    kl = objectives["kl"].definition
    return [
        Term("pg", "rows", lambda values: 1.0, surrogate),
        Term("kl", "rows", lambda values: 1.0, kl, needs_reference=True),
    ]


def updated(trainable, optimizer, batch, reference, **options):
    """Make a step of updates; return weights, means and the next random number."""
    torch.manual_seed(5)
    weights = {"pg": 1.0, "kl": 0.5}
    micros = prepare(trainable, terms(), {"rows": batch}, {"rows": 500}, reference)
    updater = Updater(trainable, optimizer, [Update()], **options)
    updater.gradient_metrics(0, terms(), weights, micros)
    means, norms = updater.update(1, terms(), weights, micros, 1e-2)
    return trainable.model.state_dict(), {n: m.value for n, m in means.items()}, norms[""]


@pytest.fixture
def compared(new_policy, new_batch, new_optimizer):
    """compared(phase, most, error): a step in enough memory, and one in too little."""

    def make(phase, most, error, **options):
        batch, results = new_batch(LENGTHS), []
        for limit in (10**9, most):
            small = Small(new_policy(0), phase, limit, error)
            optimizer = new_optimizer(small.model)
            results.append(updated(small, optimizer, batch, new_policy(1), **options))
        return results

    return make


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("phase", ["forward pass", "backward pass"])
@pytest.mark.parametrize("options", [{}, {"num_iterations": 2, "gradients_every": 1}])
def test_the_step_is_the_undisturbed_one_up_to_rounding(compared, phase, error, options, caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        (weights, means, norm), (again, its_means, its_norm) = compared(
            phase, 150, error, **options
        )
    assert caplog.records, "it is said"
    assert all(phase in r.getMessage() and KEY in r.getMessage() for r in caplog.records)
    assert its_means == pytest.approx(means, rel=1e-4, abs=1e-6)
    assert its_norm == pytest.approx(norm, rel=1e-5)
    for name, weight in weights.items():
        assert torch.allclose(again[name], weight, atol=1e-5), name


def test_the_second_time_it_is_an_error_that_names_phase_rows_tokens_and_key(compared):
    with pytest.raises(OutOfMemory) as caught:
        compared("forward pass", 3, REFUSALS["torch's on a CPU"])
    assert caught.value.key == KEY
    for part in ("forward pass", "rows of 'rows'", "tokens", KEY):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_reference_is_read_at_half_too(new_policy, new_batch, caplog):
    policy, batch = new_policy(0), new_batch(LENGTHS, ref_logps=None)
    small = Small(new_policy(1), "forward pass", 150, REFUSALS["torch's on a CPU"])
    with caplog.at_level(logging.WARNING, "uniapl"):
        micros = prepare(policy, terms(), {"rows": batch}, {"rows": 500}, small)["rows"]
    assert "reference" in caplog.text and max(map(padded_tokens, micros)) <= 150
    for micro in micros:
        expected = new_policy(1).forward(micro)
        assert torch.allclose(micro.ref_logps, expected, atol=1e-5)


def test_the_second_try_has_the_random_numbers_of_the_first(new_policy, new_batch, new_optimizer):
    draws = []
    small = Small(new_policy(0), "forward pass", 150, REFUSALS["Python's"])
    small.forward, forward = (
        lambda b: (draws.append(float(torch.rand(1))), forward(b))[1],
        small.forward,
    )
    updated(small, new_optimizer(small.model), new_batch(LENGTHS), new_policy(1))
    assert draws[0] == draws[1], "the refused pass, and the first of the second try"


def test_another_error_is_not_taken_for_it(compared):
    assert not is_refusal(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        compared("forward pass", 150, RuntimeError("shapes cannot be multiplied"))


def test_an_update_that_does_not_fit_names_the_optimizer(new_policy, new_batch, new_optimizer):
    policy = new_policy(0)
    optimizer = new_optimizer(policy.model)

    def refuse():
        raise REFUSALS["torch's on a GPU"]

    optimizer.parts[0][0].step = refuse
    with pytest.raises(OutOfMemory) as caught:
        updated(policy, optimizer, new_batch(LENGTHS), new_policy(1))
    assert caught.value.key == "optim.kind" and "update" in str(caught.value)
