"""A fingerprint depends on every bit of weights, and those that were perturbed come back whole."""

import pytest
import torch
from torch import nn

from uniapl_cli.generation.served import perturbing
from uniapl_cli.generation.served.fingerprint import WORDS, fingerprint
from uniapl_cli.generation.served.perturbing import perturbed

DTYPES = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}


def module(dtype=torch.float32, sizes=(5, 8, 1, 1003)):
    """A module with parameters of these sizes, a buffer, and another that is not saved."""
    rng = torch.Generator().manual_seed(0)
    made = nn.Module()
    for number, size in enumerate(sizes):
        weights = torch.randn(size, generator=rng).to(dtype)
        made.register_parameter(f"weight{number}", nn.Parameter(weights))
    made.register_buffer("counts", torch.arange(3, dtype=torch.uint8))
    made.register_buffer("cache", torch.zeros(4), persistent=False)
    return made


def bits(model):
    return [p.detach().view(DTYPES[p.dtype]).clone() for p in model.parameters()]


def same(one, other):
    return all(a.equal(b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_single_bit_shows(dtype):
    model = module(dtype, sizes=(5, 8, 1))
    seen = {fingerprint(model)}
    flips = 0
    for parameter in model.parameters():
        whole = parameter.data.view(torch.uint8)
        for place in range(len(whole)):
            for bit in range(8):
                whole[place] ^= 1 << bit
                seen.add(fingerprint(model))
                whole[place] ^= 1 << bit
                flips += 1
    assert len(seen) == flips + 1
    assert fingerprint(model) in seen


def test_buffers_and_names_show_and_what_is_not_saved_does_not():
    model, other = module(), module()
    before = fingerprint(model)
    model.cache += 1
    assert fingerprint(model) == before == fingerprint(other)
    model.counts[1] += 1
    assert fingerprint(model) != before
    other.register_parameter("renamed", other._parameters.pop("weight3"))
    assert fingerprint(other) != before


def test_signs_that_change_in_pairs_show():
    """The highest bits of words: a product modulo 2^64 has nothing above them."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.randn(64, generator=torch.Generator().manual_seed(0)))
    seen = {fingerprint(model)}
    for first in range(64):
        for second in range(first):
            model.weight.data[[first, second]] *= -1
            seen.add(fingerprint(model))
            model.weight.data[[first, second]] *= -1
    assert len(seen) == 1 + 64 * 63 // 2


def test_elements_that_change_places_show_also_far_from_each_other():
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(4 * WORDS + 3))
    seen = set()
    places = [0, 1, 2, WORDS, 2 * WORDS - 1, 2 * WORDS, 2 * WORDS + 1, 4 * WORDS, 4 * WORDS + 2]
    for place in places:
        model.weight.data[place] = 1.0
        seen.add(fingerprint(model))
        model.weight.data[place] = 0.0
    assert len(seen) == len(places)


def test_weights_that_change_behind_autograd_show():
    model = module()
    before, version = fingerprint(model), model.weight1._version
    model.weight1.detach().numpy()[0] += 1  # as a kernel of another library does
    assert model.weight1._version == version
    assert fingerprint(model) != before


def test_weights_anywhere_in_memory_have_the_same_fingerprint():
    """Views begin at places that are no multiple of four bytes, or lie apart."""
    model = module()
    before = fingerprint(model)
    flat = torch.zeros(1 + sum(p.numel() for p in model.parameters()))
    place = 1
    for parameter in model.parameters():
        flat[place : place + len(parameter)] = parameter.data
        parameter.data = flat[place : place + len(parameter)]
        place += len(parameter)
    assert fingerprint(model) == before
    model.weight3.data = torch.stack([model.weight3.data] * 2, 1)[:, 0]
    assert not model.weight3.is_contiguous()
    assert fingerprint(model) == before


@pytest.mark.parametrize("halvings", [2, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_half_of_each_parameter_changes_by_some_percent(dtype, halvings):
    model = module(dtype, sizes=(1003, 2000))
    before = [p.detach().float().clone() for p in model.parameters()]
    with perturbed(model, halvings):
        for old, parameter in zip(before, model.parameters(), strict=True):
            changes = (parameter.detach().float() / old - 1).abs()
            changed = changes > 0
            assert 0.4 < changed.float().mean() < 0.6
            assert changes.max() <= 2.0**-halvings
            assert changes[changed].min() > 2.0 ** -(halvings + 1) * 0.99


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_are_noise_meanwhile(dtype):
    model = module(dtype)
    model.weight3.data.zero_()
    model.weight2.data.fill_(-0.0)
    before = bits(model)
    with perturbed(model):
        assert 0.01 < model.weight3.detach().float().std() < 0.03
    assert same(bits(model), before)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_all_is_restored_to_the_bit_whatever_ends_the_block(monkeypatch, size):
    monkeypatch.setattr(perturbing, "PART", size)
    model = module()
    before = bits(model)
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), perturbed(model):
            assert not same(bits(model), before)
            raise error
        assert same(bits(model), before)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_signal_between_any_two_flips_leaves_nothing_behind(monkeypatch, number, late):
    """Before a flip, or behind it and before anything could take note of it."""
    model = module()
    before, flip, flips = bits(model), perturbing._flip, []

    def interrupted(*args):
        flips.append(args)
        comes = len(flips) == number + 1
        if comes and not late:
            raise KeyboardInterrupt
        flip(*args)
        if comes:
            raise KeyboardInterrupt

    monkeypatch.setattr(perturbing, "_flip", interrupted)
    with pytest.raises(KeyboardInterrupt), perturbed(model):
        pytest.fail("not reached")
    assert same(bits(model), before)
