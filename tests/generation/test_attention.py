"""Decoding's attention is the formula, in every variant that models ask for."""

import pytest
import torch

from uniapl_cli.generation.attention import attend, decoding

ROWS, HEADS, KEY_HEADS, COLUMNS, SIZE = 3, 6, 2, 11, 8


def tensors(dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    query = torch.randn(ROWS, HEADS, 1, SIZE, generator=rng)
    key = torch.randn(ROWS, KEY_HEADS, COLUMNS, SIZE, generator=rng)
    value = torch.randn(ROWS, KEY_HEADS, COLUMNS, 5, generator=rng)
    hidden = torch.rand(ROWS, 1, 1, COLUMNS, generator=rng) < 0.4
    mask = torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)
    return query, key.to(dtype), value.to(dtype), mask


def formula(query, key, value, mask, scaling=SIZE**-0.5, softcap=None, s_aux=None):
    """Row by row and head by head in float64."""
    out = torch.zeros(ROWS, 1, HEADS, value.shape[-1], dtype=torch.float64)
    for row in range(ROWS):
        for head in range(HEADS):
            shared = head // (HEADS // KEY_HEADS)
            scores = key[row, shared].double() @ query[row, head, 0].double() * scaling
            if softcap is not None:
                scores = softcap * (scores / softcap).tanh()
            scores = scores + mask[row, 0, 0].double()
            if s_aux is not None:
                scores = torch.cat([scores, s_aux[head, None].double()])
            weights = scores.softmax(0)[:COLUMNS]
            out[row, 0, head] = weights @ value[row, shared].double()
    return out


@pytest.mark.parametrize(
    "options",
    [{}, {"scaling": 0.7}, {"softcap": 0.5}, {"s_aux": torch.linspace(-1, 2, HEADS)}],
    ids=["plain", "scaled", "capped", "with sinks"],
)
def test_it_is_the_formula(options):
    query, key, value, mask = tensors()
    out, _ = attend(None, query, key, value, mask, **options)
    expected = formula(query, key, value, mask, **options)
    assert torch.allclose(out.double(), expected, atol=1e-5)


def test_without_a_mask_everything_is_seen():
    query, key, value, mask = tensors()
    nothing_hidden = torch.zeros_like(mask)
    out, _ = attend(None, query, key, value, None)
    assert torch.allclose(out.double(), formula(query, key, value, nothing_hidden), atol=1e-5)


def test_columns_that_are_hidden_change_nothing():
    query, key, value, mask = tensors()
    whole, _ = attend(None, query, key, value, mask)
    hidden = (mask == -torch.inf).transpose(2, 3).expand(-1, KEY_HEADS, -1, -1)
    other, _ = attend(
        None, query, key.masked_fill(hidden, 99.0), value.masked_fill(hidden, -99.0), mask
    )
    assert torch.equal(whole, other)


def test_in_bfloat16_it_is_as_exact_as_its_keys():
    query, key, value, mask = tensors(torch.bfloat16)
    out, _ = attend(None, query, key, value, mask)
    assert out.dtype == torch.bfloat16
    assert torch.allclose(out.double(), formula(query, key, value, mask), atol=0.03)


def test_the_layout_of_the_keys_changes_nothing():
    query, key, value, mask = tensors()
    turned = key.transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.allclose(
        attend(None, query, turned, value, mask)[0], attend(None, query, key, value, mask)[0]
    )


def test_a_model_has_its_own_attention_afterwards(new_policy):
    model = new_policy().model
    before = model.config._attn_implementation
    with pytest.raises(KeyError), decoding(model):
        assert model.config._attn_implementation != before
        raise KeyError
    assert model.config._attn_implementation == before
