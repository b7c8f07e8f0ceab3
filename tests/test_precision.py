"""One choice of arithmetic on every device, and frozen weights that compute the same bits."""

import copy

import pytest
import torch
from architectures import FAMILIES, USUAL, new_model
from torch import nn

from uniapl_cli import load_config
from uniapl_cli.errors import ConfigError
from uniapl_cli.precision import arithmetic, freeze, in_words, resolve
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy

VOCABULARY = 200
FAMILY = [pytest.param(f, marks=[] if f in USUAL else pytest.mark.slow) for f in FAMILIES]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@pytest.mark.parametrize(
    ("precision", "device", "dtype"),
    [
        ("auto", "cpu", "float32"),
        ("auto", "cuda", "bfloat16"),
        ("auto", "cuda:1", "bfloat16"),
        *((name, device, name) for name in DTYPES for device in ("cpu", "cuda")),
    ],
)
def test_auto_is_bfloat16_on_cuda_and_what_is_said_is_taken_anywhere(precision, device, dtype):
    assert resolve(precision, device) is DTYPES[dtype]
    assert resolve(precision, torch.device(device)) is DTYPES[dtype]
    assert in_words(precision, device) == f"{dtype} on {device} (precision={precision})"


@pytest.mark.parametrize("precision", DTYPES)
def test_products_are_computed_in_the_precision(precision):
    with arithmetic(precision, "cpu"):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype is DTYPES[precision]


@pytest.fixture
def batch():
    """Rows of three lengths."""
    rng = torch.Generator().manual_seed(0)
    tokens, places = torch.randint(VOCABULARY, (3, 25), generator=rng), torch.arange(24)
    return TokenBatch(tokens, (places > 1) & (places < torch.tensor([[24], [11], [3]])))


@pytest.mark.parametrize("family", FAMILY)
@torch.no_grad()
def test_a_frozen_model_computes_the_same_bits(family, batch):
    model = new_model(family, VOCABULARY)
    frozen = freeze(copy.deepcopy(model), torch.bfloat16)
    expected, result = (Policy(m, None, "bfloat16").forward(batch) for m in (model, frozen))
    assert torch.equal(result, expected)
    assert not any(weight.requires_grad for weight in frozen.parameters())
    assert frozen.get_output_embeddings().weight.dtype is torch.float32
    layers = [m for m in frozen.base_model.modules() if type(m) is nn.Linear]
    assert all(layer.weight.dtype is torch.bfloat16 for layer in layers)
    assert layers or family == "gpt2"  # whose layers are transposed ones


def test_in_float32_no_weight_is_cast(batch):
    model = new_model("llama", VOCABULARY)
    frozen = freeze(copy.deepcopy(model), torch.float32)
    assert {weight.dtype for weight in frozen.parameters()} == {torch.float32}
    assert not any(weight.requires_grad for weight in frozen.parameters())


class Shared(nn.Module):
    """A linear layer whose weights are an embedding's too, and two that have the same."""

    base_model_prefix = ""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(4, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3))
        self.layers[0].weight = self.words.weight
        self.layers[2].weight = self.layers[1].weight


def test_weights_that_others_read_stay_and_shared_ones_stay_shared():
    model = freeze(Shared(), torch.bfloat16)
    assert model.words.weight.dtype is torch.float32
    assert model.layers[0].weight is model.words.weight
    assert model.layers[1].weight is model.layers[2].weight
    assert model.layers[1].weight.dtype is torch.bfloat16


def test_exactly_means_that_no_weight_is_rounded():
    model = Shared()
    model.layers[1].weight.data = model.layers[1].weight.data.bfloat16().float()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    freeze(model, torch.bfloat16, exactly=True)
    assert all((weight == before[name]).all() for name, weight in model.named_parameters())
    assert model.layers[1].weight.dtype is torch.bfloat16
    other = nn.Linear(4, 4)
    other.base_model_prefix = ""
    assert freeze(other, torch.bfloat16, exactly=True).weight.dtype is torch.float32


@pytest.mark.parametrize("key", ["model.dtype", "teacher.dtype"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_16_bits_are_refused_with_what_to_set_instead(key, dtype):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"{key}={dtype}"], "sft")
    assert (caught.value.key, caught.value.got) == (key, dtype)
    assert caught.value.suggestion == "precision"
