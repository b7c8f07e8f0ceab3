import pytest
import torch

from uniapl_cli.objectives import reductions

LOSSES = torch.tensor([[1.0, 2.0, 3.0, 99.0], [4.0, 99.0, 99.0, 99.0]], dtype=torch.float64)
MASK = LOSSES < 99


def bound(name, longest=99, **options):
    return reductions.bind(reductions.options(name, **options), longest=longest)


def reduced(name, losses=LOSSES, mask=MASK, **options):
    divisors, count = bound(name, **options)(mask)
    return float((losses * mask / divisors).sum() / count)


# TRL's and verl's names for them: dapo, grpo, dr_grpo with 4 tokens at most, seq-mean-token-sum.
@pytest.mark.parametrize(
    ("name", "options", "golden"),
    [
        ("token", {}, 2.5),
        ("sequence", {}, 3.0),
        ("constant", {"length": 4}, 1.25),
        ("constant", {"length": 1}, 5.0),
    ],
)
def test_the_published_example(name, options, golden):
    assert reduced(name, **options) == golden


OPTIONS = {"constant": {"length": 7}}


@pytest.mark.parametrize("name", reductions)
def test_any_split_of_the_rows_has_the_same_sum_and_count(name):
    rng = torch.Generator().manual_seed(0)
    mask = torch.rand(6, 9, generator=rng) < 0.5
    reduction = bound(name, **OPTIONS.get(name, {}))
    divisors, count = reduction(mask)
    parts = [reduction(mask[rows]) for rows in torch.arange(6).split(2)]
    assert torch.equal(torch.cat([part[0] for part in parts]), divisors)
    assert sum(part[1] for part in parts) == count


@pytest.mark.parametrize("name", reductions)
def test_padding_changes_nothing(name):
    options = OPTIONS.get(name, {})
    wide = torch.nn.functional.pad(MASK, (0, 3)), torch.nn.functional.pad(LOSSES, (0, 3))
    assert reduced(name, wide[1], wide[0], **options) == reduced(name, **options)


def test_a_response_that_is_masked_is_left_out_of_the_sequence_mean():
    mask = torch.cat([MASK, torch.zeros(1, 4, dtype=torch.bool)])
    losses = torch.cat([LOSSES, LOSSES[:1]])
    assert reduced("sequence", losses, mask) == 3.0
    assert reduced("token", losses, mask) == 2.5


def test_a_response_that_is_masked_still_counts_for_a_constant():
    mask = torch.cat([MASK, torch.zeros(2, 4, dtype=torch.bool)])
    losses = torch.cat([LOSSES, LOSSES])
    assert reduced("constant", losses, mask, length=4) == 1.25 / 2


def test_without_a_length_a_constant_takes_the_longest_there_may_be():
    losses = (LOSSES * MASK).sum()
    divisors, count = bound("constant", longest=4)(MASK)
    assert float((LOSSES * MASK / divisors).sum() / count) == float(losses) / 8
