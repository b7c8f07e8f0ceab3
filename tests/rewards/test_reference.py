"""The reference says of rollouts what it says of a batch of them."""

import pytest
import torch
from rollout_cases import completion, example

from uniapl_cli.data.collate import pad_rows
from uniapl_cli.rewards import RolloutLogps
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Rollout

ROLLOUTS = [
    Rollout(example(), (1, 2, 3), completion(tokens=tokens), 0)
    for tokens in [(5, 6, 7, 8), (9,), (4, 3, 2), (8, 8)]
]


@pytest.mark.parametrize("tokens", [1, 10, 99])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_each_rollout_has_its_own_in_its_order(new_policy, tokens, temperature):
    reference = new_policy(1)
    result = RolloutLogps(reference, torch.device("cpu"), 0, temperature, tokens)(ROLLOUTS)
    for rollout, logps in zip(ROLLOUTS, result, strict=True):
        pair = (rollout.prompt_ids, rollout.completion.token_ids)
        batch = TokenBatch(*pad_rows([pair], 0), temperature=temperature)
        expected = reference.forward(batch)[batch.loss_mask].tolist()
        assert logps == pytest.approx(expected, abs=1e-5)
