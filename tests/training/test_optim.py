"""An optimiser goes on after a save as if there had been none."""

import copy

import pytest
import torch
from pydantic import ValidationError

from uniapl_cli.errors import ModelError
from uniapl_cli.training import optim
from uniapl_cli.training.optim import optimizers


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


# What a registered optimiser imports beside torch.
PACKAGES = {"adamw8bit": "bitsandbytes"}


@pytest.fixture(params=list(optimizers))
def name(request):
    if request.param in PACKAGES:
        pytest.importorskip(PACKAGES[request.param])
    return request.param


def test_a_restored_optimizer_goes_on_to_the_bit(new_parts, name, tmp_path):
    one, other = new_parts(0, name).train(2), new_parts(1, name)
    torch.save(one.optimizer.state_dict(), tmp_path / "optimizer.pt")
    other.policy.model.load_state_dict(one.policy.model.state_dict())
    other.optimizer.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    assert same(one.train(2).weights(), other.train(2).weights())


def test_an_optimizer_that_forgot_its_state_goes_elsewhere(new_parts, name):
    one, other = new_parts(0, name).train(2), new_parts(1, name)
    other.policy.model.load_state_dict(one.policy.model.state_dict())
    assert not same(one.train().weights(), other.train().weights())


def test_every_parameter_is_trained_and_every_gradient_cleared(new_parts, name):
    parts = new_parts(0, name)
    before = parts.weights()
    after = parts.train().weights()
    assert not any(torch.equal(before[key], after[key]) for key in before)
    assert all(parameter.grad is None for parameter in parts.policy.model.parameters())


def test_the_learning_rate_is_that_of_the_step(new_parts, name):
    parts = new_parts(0, name).train()
    before = parts.weights()
    (-parts.policy.forward(parts.batch).sum()).backward()
    parts.optimizer.step(0.0)
    assert same(before, parts.weights())


def test_adamw_is_adamw(new_policy, new_batch, new_optimizer):
    policy, batch = new_policy(), new_batch([3, 4])
    twin = copy.deepcopy(policy.model)
    mine = new_optimizer(policy.model)
    theirs = torch.optim.AdamW(twin.parameters(), lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)
    for lr in (0.1, 0.02):
        policy.forward(batch).sum().backward()
        for parameter, its in zip(twin.parameters(), policy.model.parameters(), strict=True):
            parameter.grad = its.grad.clone()
        theirs.param_groups[0]["lr"] = lr
        theirs.step()
        mine.step(lr)
    for name, weight in twin.state_dict().items():
        assert torch.allclose(policy.model.state_dict()[name], weight, atol=1e-6), name


@pytest.mark.parametrize("theirs", ["adamw", "unfused"])
def test_how_an_update_is_computed_is_not_the_checkpoints_choice(new_parts, theirs):
    """A run of another device, or of before, goes on by the kernels of this one."""
    one, other = new_parts(0).train(2), new_parts(0).train(2)
    state = copy.deepcopy(one.optimizer.state_dict())
    if theirs == "unfused":
        state["0"]["param_groups"][0] |= {"fused": None, "foreach": False}
    one.optimizer.load_state_dict(state)
    assert one.optimizer.parts[0][0].param_groups[0]["fused"]
    assert same(one.train(2).weights(), other.train(2).weights())


def test_8_bits_take_a_quarter_of_the_memory(new_optimizer):
    pytest.importorskip("bitsandbytes")
    sizes = {}
    for name in ("adamw", "adamw8bit"):
        model = torch.nn.Linear(256, 256, bias=False)
        optimizer = new_optimizer(model, name)
        model(torch.ones(2, 256)).sum().backward()
        optimizer.step(1e-3)
        state = optimizer.parts[0][0].state[model.weight].values()
        sizes[name] = sum(v.numel() * v.itemsize for v in state if isinstance(v, torch.Tensor))
    assert sizes["adamw8bit"] < 0.3 * sizes["adamw"]


def test_8_bits_are_near_32(new_parts):
    pytest.importorskip("bitsandbytes")
    fresh, full, small = new_parts(0), new_parts(0).train(3), new_parts(0, "adamw8bit").train(3)
    for name, start in fresh.weights().items():
        moved = full.weights()[name] - start
        assert (small.weights()[name] - full.weights()[name]).norm() < 0.2 * moved.norm(), name


def test_without_its_package_8_bits_say_what_to_type(new_policy, new_optimizer, monkeypatch):
    monkeypatch.setattr(optim, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        new_optimizer(new_policy().model, "adamw8bit")
    assert "uniapl[bnb]" in caught.value.advice and "\n" not in str(caught.value)


def test_muon_takes_the_hidden_matrices_at_a_rate_of_their_own(new_policy, new_optimizer):
    model = new_policy().model
    (inner, ratio), (rest, one) = new_optimizer(model, "muon").parts
    assert (ratio, one) == (5.0, 1.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    split = [
        {names[id(p)] for group in part.param_groups for p in group["params"]}
        for part in (inner, rest)
    ]
    assert split[0] | split[1] == set(names.values())
    assert not split[0] & split[1]
    assert all(".layers." in name and "norm" not in name for name in split[0])
    assert "model.embed_tokens.weight" in split[1]


def test_each_part_steps_at_its_ratio_of_the_rate(new_parts):
    parts = new_parts(0, "muon")
    parts.train()  # at 1e-2
    rates = [part.param_groups[0]["lr"] for part, _ in parts.optimizer.parts]
    assert rates == pytest.approx([5e-2, 1e-2])


def test_frozen_parameters_stay(new_policy, new_batch, new_optimizer):
    policy, batch = new_policy(), new_batch([3, 4])
    policy.model.model.embed_tokens.requires_grad_(False)
    optimizer = new_optimizer(policy.model)
    policy.forward(batch).sum().backward()
    optimizer.step(0.1)
    fresh = new_policy().model
    assert torch.equal(policy.model.lm_head.weight, fresh.lm_head.weight)
    assert not torch.equal(policy.model.model.norm.weight, fresh.model.norm.weight)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"betas": [0.9]}, "betas"),
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"eps": -1e-8}, "eps"),
        ({"eps": 0.0}, "eps"),
        ({"eps": float("nan")}, "eps"),
        ({"weight_decay": 1e30}, "weight_decay"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"lr": "fast"}, "lr"),
        ({"muon_lr_ratio": 5.0}, "muon_lr_ratio"),  # Muon's alone
    ],
)
def test_what_no_optimizer_takes_is_refused(wrong, where):
    with pytest.raises(ValidationError) as caught:
        optimizers.options("adamw", **wrong)
    assert caught.value.errors()[0]["loc"][0] == where


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_16_bits_are_not_trained(new_policy, new_optimizer, name, dtype):
    model = new_policy().model.to(getattr(torch, dtype))
    with pytest.raises(ModelError) as caught:
        new_optimizer(model, name)
    assert (caught.value.got, caught.value.allowed) == (dtype, ("float32",))
    assert "\n" not in str(caught.value)
    new_optimizer(model.float(), name)
