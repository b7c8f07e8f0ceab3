"""Packed weights multiply as the layers do, and leave them as they were."""

import pytest
import torch
from torch import nn

from uniapl_cli.generation.packing import PackedWeights


@pytest.fixture
def model(new_policy):
    return new_policy().model


def layers(model):
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("rows", [1, 7, 200])
@torch.no_grad()
def test_products_are_the_layers(model, dtype, close, rows):
    packed = PackedWeights(model, dtype)
    for layer in layers(model):
        x = torch.randn(rows, 1, layer.in_features)
        expected = layer(x)
        with packed.used():
            product = layer(x)
        assert product.shape == expected.shape
        assert torch.allclose(product.float(), expected, atol=close, rtol=close)
        assert torch.equal(layer(x), expected)


def test_a_bias_is_added():
    model = nn.Sequential(nn.Linear(8, 5))
    model.get_output_embeddings = lambda: None
    model.device = torch.device("cpu")
    x = torch.randn(3, 8)
    with torch.no_grad(), PackedWeights(model, torch.float32).used():
        product = model(x)
    assert torch.allclose(product, nn.functional.linear(x, model[0].weight, model[0].bias))


@torch.no_grad()
def test_the_head_stays_in_its_own_dtype(model):
    head = model.get_output_embeddings()
    x = torch.randn(4, 1, head.in_features)
    expected = head(x)
    with PackedWeights(model, torch.bfloat16).used(), torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(head(x), expected, atol=1e-5)
        assert all(
            layer(torch.randn(2, 1, layer.in_features)).dtype == torch.bfloat16
            for layer in layers(model)
            if layer is not head
        )


def test_an_error_inside_leaves_the_layers_as_they_were(model):
    with pytest.raises(KeyError), PackedWeights(model, torch.float32).used():
        raise KeyError
    assert not any("forward" in vars(layer) for layer in layers(model))


@torch.no_grad()
def test_without_memory_for_a_copy_layers_multiply_as_they_are(model, monkeypatch):
    monkeypatch.setattr("uniapl_cli.generation.packing.free_bytes", lambda _device: 1000)
    head = model.get_output_embeddings()
    with PackedWeights(model, torch.bfloat16).used(), torch.autocast("cpu", torch.bfloat16):
        for layer in layers(model):
            x = torch.randn(2, 1, layer.in_features)
            assert ("forward" in vars(layer)) == (layer is head)
            assert layer(x).dtype == (torch.float32 if layer is head else torch.bfloat16)
