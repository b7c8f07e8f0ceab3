import math

import pytest
import torch
from objective_cases import bound, pair_batch


@pytest.mark.parametrize("margin", [-3.0, 0.0, 0.5, 40.0])
def test_bradley_terry_is_minus_log_sigmoid_of_the_margin(margin):
    scores = torch.tensor([[margin + 1, 1.0]], dtype=torch.float64, requires_grad=True)
    result = bound("bradley_terry")(scores, pair_batch([2]))
    result.per_token.sum().backward()
    lost = 1 / (1 + math.exp(margin))
    assert result.per_token.item() == pytest.approx(math.log1p(math.exp(-margin)))
    assert scores.grad[0].tolist() == pytest.approx([-lost, lost])
    assert result.metrics["accuracy"].item() == (margin > 0)
    assert result.metrics["margin"].item() == margin
