"""A plan is the equation: which terms count at a step, and how much."""

import pytest
import torch

from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.tensors import TokenBatch, TokenLoss
from uniapl_cli.training.schedules import schedule, weight
from uniapl_cli.training.terms import Plan, Term

# Token losses [[1, 2, 3], [4]]; what lies outside the mask must not count.
LOSSES = torch.tensor([[1.0, 2, 3], [4, 99, 99]])
MASK = torch.tensor([[1, 1, 1], [1, 0, 0]], dtype=torch.bool)
BATCH = TokenBatch(torch.zeros(2, 4, dtype=torch.long), MASK)


def plan(schedules, **weights):
    made = {name: schedule(name, given, 4) for name, given in schedules.items()}
    terms = [
        Term(name, "source", weight(name, text, made), objectives["nll"].make)
        for name, text in weights.items()
    ]
    return Plan(terms, made)


def names(terms):
    return [term.name for term in terms]


def test_the_loss_is_the_mean_over_the_tokens():
    """2.5, the published example; the mean of the rows' means would be 3.0."""
    term = Term("t", "s", lambda scales: 1.0, lambda outputs, batch: TokenLoss(outputs))
    mean, metrics = term.loss(LOSSES, BATCH)
    assert mean.value == 2.5
    assert int(mean.count) == int(term.count(BATCH)) == 4
    assert metrics == {}


@pytest.mark.parametrize(
    ("name", "options", "golden"),
    [("sequence", {}, 3.0), ("constant", {"length": 4}, 1.25), ("constant", {"length": 1}, 5.0)],
)
def test_a_reduction_decides_what_a_token_weighs(name, options, golden):
    reduction = reductions[name].bind(options)
    term = Term("t", "s", lambda _: 1.0, lambda outputs, _: TokenLoss(outputs), reduction=reduction)
    mean, _ = term.loss(LOSSES, BATCH)
    assert mean.value == pytest.approx(golden)
    assert mean.count == term.count(BATCH)


def test_metrics_are_means_over_the_same_tokens_and_carry_no_gradient():
    def objective(outputs, batch):
        return TokenLoss(outputs, {"twice": 2 * outputs})

    term = Term("t", "s", lambda scales: 1.0, objective)
    _, metrics = term.loss(LOSSES.clone().requires_grad_(), BATCH)
    assert metrics["twice"].value == 5.0
    assert not metrics["twice"].total.requires_grad


def test_weights_follow_the_schedules():
    mu = {"shape": "linear", "start": 1.0, "end": 0.0}
    method = plan({"mu": mu, "half": 0.5}, imitation="mu", preference="(1 - mu) * half")
    assert method.scales(0) == {"mu": 1.0, "half": 0.5}
    assert method.weights(0) == {"imitation": 1.0, "preference": 0.0}
    assert method.weights(3) == {"imitation": 0.0, "preference": 0.5}


def test_a_term_of_no_weight_is_not_active():
    mu = {"shape": "linear", "start": 1.0, "end": 0.0}
    method = plan({"mu": mu}, imitation="mu", preference="1 - mu", never="0 * mu", minus="-1")
    assert names(method.active(0)) == ["imitation", "minus"]
    assert names(method.active(1)) == ["imitation", "preference", "minus"]
    assert names(method.active(3)) == ["preference", "minus"]


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, ["imitation"]), (4, ["imitation", "preference"])]
)
def test_a_term_that_is_active_at_some_step_is_ever_active(steps, expected):
    mu = {"shape": "linear", "start": 1.0, "end": 0.0}
    method = plan({"mu": mu}, imitation="mu", preference="1 - mu", never="0 * mu")
    assert names(method.ever_active(steps)) == expected
