"""Held-out losses are means over tokens, however they are computed, and leave no trace."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from uniapl_cli.formulas import Formula
from uniapl_cli.objectives.imitation import nll
from uniapl_cli.training.heldout import held_out_means, undisturbed
from uniapl_cli.training.terms import Term

TERM = Term("held", "demonstrations", Formula("1"), nll)


@pytest.mark.parametrize("split", [[6], [1, 5], [3, 3]])
@pytest.mark.parametrize("tokens", [1, 40, 100_000])
def test_neither_batches_nor_micro_batches_change_a_mean(split, tokens, new_policy, new_batch):
    policy, whole = new_policy(), new_batch([2, 9, 4, 1, 7, 3], advantages={})
    with torch.no_grad():
        logps = policy.forward(whole)
    expected = -float(logps.sum()) / int(whole.loss_mask.sum())
    rows = torch.arange(6).split(split)
    found = held_out_means(policy, TERM, [whole.take(some) for some in rows], tokens)
    assert found["loss"].value == pytest.approx(expected, rel=1e-5)
    assert all(p.grad is None for p in policy.model.parameters())


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("fails", [False, True])
def test_modes_and_random_states_are_as_they_were(fails):
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    model[0].eval()
    before = states()
    try:
        with undisturbed(model, torch.device("cpu")):
            assert not any(part.training for part in model.modules())
            random.random(), np.random.rand(), torch.rand(1)
            assert states() != before
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert states() == before
    assert [part.training for part in model.modules()] == [True, False, True]
