"""A backward pass that computes layers again gives the same gradient and keeps less."""

import family_checks
import pytest
import torch
from architectures import ALL, USUAL

from uniapl_cli.errors import ModelError
from uniapl_cli.training.activations import checkpoint_activations, outermost
from uniapl_cli.training.adapter import Adapter, adapt


def gradients(policy, batch):
    """Return the gradient of each trained weight, and the bytes that were kept for it."""
    kept: dict[int, int] = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.itemsize
        return tensor

    policy.model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = -policy.forward(batch).sum()
    loss.backward()
    weights = {p.data_ptr() for p in policy.model.parameters()}
    size = sum(size for place, size in kept.items() if place not in weights)
    return {n: p.grad for n, p in policy.model.named_parameters() if p.grad is not None}, size


def compare(policy, batch, rounding=1e-5):
    expected, all_bytes = gradients(policy, batch)
    checkpoint_activations(policy.model, policy.precision)
    found, few_bytes = gradients(policy, batch)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert (gradient - expected[name]).norm() <= rounding * expected[name].norm() + 1e-7, name
    assert few_bytes < 0.7 * all_bytes


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "family", [pytest.param(n, marks=[] if n in USUAL else pytest.mark.slow) for n in ALL]
)
def test_the_gradient_is_that_of_a_pass_that_keeps_all(family, precision, tokenizer):
    policy = family_checks.new_policy(family, tokenizer, precision)
    compare(policy, family_checks.new_batch(tokenizer))


@pytest.mark.parametrize("family", ["llama", "qwen3_moe"])
def test_an_adapters_too(family, tokenizer):
    policy = family_checks.new_policy(family, tokenizer)
    adapt(policy.model, Adapter(rank=4), 0)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    compare(policy, family_checks.new_batch(tokenizer))


def test_the_layers_are_computed_once_more_to_go_back_and_not_without_a_gradient(
    new_policy, new_batch
):
    policy, batch, calls = new_policy(), new_batch([3, 9]), []
    checkpoint_activations(policy.model, policy.precision)
    (layer,) = outermost(policy.model)
    layer.mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        policy.forward(batch)
    assert len(calls) == 1
    policy.forward(batch).sum().backward()
    assert len(calls) == 3


def test_a_model_without_layers_is_refused(new_policy):
    model = new_policy().model
    model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError) as caught:
        checkpoint_activations(model, "float32")
    assert caught.value.got == type(model).__name__
