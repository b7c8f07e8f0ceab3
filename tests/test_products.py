"""Products by whatever is quickest are those of `linear`, in value and gradient."""

import pytest
import torch
from torch.nn.functional import linear

from uniapl_cli import products
from uniapl_cli.precision import arithmetic, forward_pass
from uniapl_cli.products import product, quick_products

CPU = torch.device("cpu")
SHAPES = {"rows": (7,), "batch": (3, 5), "one": (), "none": (0,), "no rows": (2, 0)}


def leaves(shape=(7,), dtype=torch.float32, bias=False):
    rng = torch.Generator().manual_seed(0)
    shapes = [(*shape, 16), (24, 16), *([(24,)] if bias else [])]
    return [torch.randn(s, generator=rng).to(dtype).requires_grad_() for s in shapes]


def slopes(multiply, tensors, reduce):
    result = multiply(*tensors)
    return result, torch.autograd.grad(reduce(result), tensors)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("reduce", [torch.sum, lambda x: x.square().sum(), lambda x: x.t().sum()])
def test_values_and_gradients_are_those_of_linear(bias, reduce):
    tensors = leaves(bias=bias)
    (ours, mine), (theirs, its) = (slopes(f, tensors, reduce) for f in (product, linear))
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-4) for a, b in zip(mine, its, strict=True))
    assert [a.stride() for a in mine] == [tensor.stride() for tensor in tensors]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_rows_may_be_of_any_shape_and_dtype(shape, dtype):
    tensors = leaves(shape, dtype)
    (ours, mine), (theirs, its) = (slopes(f, tensors, torch.sum) for f in (product, linear))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert torch.allclose(ours, theirs, atol=0.05 if dtype is torch.bfloat16 else 1e-5)
    assert [(a.shape, a.dtype) for a in mine] == [(b.shape, b.dtype) for b in its]


def test_what_is_strided_is_multiplied_right():
    hidden, weight = (tensor.detach() for tensor in leaves((16,)))
    strided = hidden.t()[:, ::2], weight[:, ::2]
    assert torch.allclose(product(*strided), linear(*strided), atol=1e-5)


def test_what_is_frozen_gets_no_gradient():
    hidden, weight = leaves()
    product(hidden, weight.detach()).sum().backward()
    assert torch.allclose(hidden.grad[0], weight.detach().sum(0), atol=1e-5)
    product(hidden.detach(), weight).sum().backward()
    assert torch.allclose(weight.grad[0], hidden.detach().sum(0), atol=1e-5)


@pytest.fixture
def asked(monkeypatch):
    """The shapes that `product` was asked for."""
    shapes = []
    real = products.product
    monkeypatch.setattr(products, "product", lambda *a: shapes.append(a[0].shape) or real(*a))
    return shapes


def test_a_forward_pass_in_float32_multiplies_so_and_only_there(asked):
    layer = torch.nn.Linear(16, 24)
    with forward_pass("float32", "cpu"):
        layer(torch.ones(3, 16))
    assert asked == [(3, 16)]
    layer(torch.ones(3, 16))
    with forward_pass("bfloat16", "cpu"):
        assert layer(torch.ones(3, 16)).dtype is torch.bfloat16
    with arithmetic("float32", "cpu"):
        layer(torch.ones(3, 16))
    with quick_products(torch.device("cuda")):
        layer(torch.ones(3, 16))
    with forward_pass("float32", "cpu"):
        layer.double()(torch.ones(3, 16, dtype=torch.float64))
    assert len(asked) == 1


@pytest.fixture
def settings(monkeypatch):
    """How float32 products may be computed at each of them, as if the CPU were a GPU."""
    found = []
    real = torch.Tensor.__matmul__

    def noting(a, b):
        found.append(torch.get_float32_matmul_precision())
        return real(a, b)

    monkeypatch.setattr(products, "_onednn", lambda tensor: False)
    monkeypatch.setattr(products, "uses_tf32", lambda _: torch.is_autocast_enabled("cpu"))
    monkeypatch.setattr(torch.Tensor, "__matmul__", noting)
    return found


@pytest.mark.parametrize(("precision", "found"), [("bfloat16", "high"), ("float32", "highest")])
def test_on_cuda_tf32_is_allowed_in_bfloat16_alone_and_forward_and_back(settings, precision, found):
    hidden, weight = leaves()
    with arithmetic(precision, "cpu"):
        result = product(hidden, weight)
    assert torch.get_float32_matmul_precision() == "highest"
    result.sum().backward()
    assert settings == [found] * 3
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_gpu_outside_autocast_and_a_cpu_use_no_tf32():
    assert not products.uses_tf32(torch.device("cuda"))
    with arithmetic("bfloat16", "cpu"):
        assert not products.uses_tf32(CPU)
