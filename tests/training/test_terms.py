"""A plan is the equation: which terms count at a step, and how much."""

import pytest
import torch
from pydantic import ValidationError

from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.tensors import TokenBatch, TokenLoss
from uniapl_cli.training.schedules import schedules
from uniapl_cli.training.scheduling import make_schedule
from uniapl_cli.training.terms import Plan, Term, TermOptions

# Token losses [[1, 2, 3], [4]]; what lies outside the mask must not count.
LOSSES = torch.tensor([[1.0, 2, 3], [4, 99, 99]])
MASK = torch.tensor([[1, 1, 1], [1, 0, 0]], dtype=torch.bool)
BATCH = TokenBatch(torch.zeros(2, 4, dtype=torch.long), MASK)


MU = schedules.options("linear", start=1.0, end=0.0)


def plan(steps=4, schedules=None, **weights):
    """Return a plan with mu, which falls from 1 to 0 in four steps, and one half."""
    schedules = schedules or {"mu": make_schedule(MU, 4), "half": lambda step: 0.5}
    terms = [
        Term(name, "source", Formula(text), objectives["nll"].definition)
        for name, text in weights.items()
    ]
    return Plan(terms, schedules, steps)


def names(terms):
    return [term.name for term in terms]


def test_the_loss_is_the_mean_over_the_tokens():
    """2.5, the published example; the mean of the rows' means would be 3.0."""
    term = Term("t", "s", lambda values: 1.0, lambda outputs, batch: TokenLoss(outputs))
    mean, metrics = term.loss(LOSSES, BATCH)
    assert mean.value == 2.5
    assert int(mean.count) == int(term.count(BATCH)) == 4
    assert metrics == {}


@pytest.mark.parametrize(
    ("name", "options", "golden"),
    [("sequence", {}, 3.0), ("constant", {"length": 4}, 1.25), ("constant", {"length": 1}, 5.0)],
)
def test_a_reduction_decides_what_a_token_weighs(name, options, golden):
    reduction = reductions.bind(reductions.options(name, **options), longest=99)
    term = Term("t", "s", lambda _: 1.0, lambda outputs, _: TokenLoss(outputs), reduction=reduction)
    mean, _ = term.loss(LOSSES, BATCH)
    assert mean.value == pytest.approx(golden)
    assert mean.count == term.count(BATCH)


def test_metrics_are_means_over_the_same_tokens_and_carry_no_gradient():
    def objective(outputs, batch):
        return TokenLoss(outputs, {"twice": 2 * outputs})

    term = Term("t", "s", lambda values: 1.0, objective)
    _, metrics = term.loss(LOSSES.clone().requires_grad_(), BATCH)
    assert metrics["twice"].value == 5.0
    assert not metrics["twice"].total.requires_grad


def test_weights_follow_the_schedules():
    method = plan(imitation="mu", preference="(1 - mu) * half")
    assert method.schedule_values(0) == {"mu": 1.0, "half": 0.5}
    assert method.weights(0) == {"imitation": 1.0, "preference": 0.0}
    assert method.weights(3) == {"imitation": 0.0, "preference": 0.5}


def test_a_term_of_no_weight_is_not_active():
    method = plan(imitation="mu", preference="1 - mu", never="0 * mu", minus="-1")
    assert names(method.active(0)) == ["imitation", "minus"]
    assert names(method.active(1)) == ["imitation", "preference", "minus"]
    assert names(method.active(3)) == ["preference", "minus"]


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, ["imitation"]), (4, ["imitation", "preference"])]
)
def test_a_term_that_is_active_at_some_step_is_ever_active(steps, expected):
    method = plan(steps, imitation="mu", preference="1 - mu", never="0 * mu")
    assert names(method.ever_active) == expected


def test_no_step_is_looked_at_after_all_terms_were_seen_active():
    steps = []
    schedules = {"mu": lambda step: steps.append(step) or float(step > 2)}
    method = plan(1000, schedules, imitation="mu", preference="1 - mu")
    assert names(method.ever_active) == names(method.ever_active) == ["imitation", "preference"]
    assert steps == [0, 1, 2, 3]


def test_a_weight_may_be_a_number():
    term = {"source": "demonstrations", "objective": "nll"}
    for number, text in ((1, "1"), (0.25, "0.25")):
        assert TermOptions.model_validate({**term, "weight": number}).weight == text


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"weight": "1 -"}, ("weight",)),
        ({"weight": True}, ("weight",)),
        ({"objective": "nlll"}, ("objective",)),
        ({"objective": {"kind": "surrogate"}}, ("objective", "surrogate", "reward")),
        ({"reduction": "tokens"}, ("reduction",)),
        ({"params": {}}, ("params",)),
    ],
)
def test_what_is_no_term_is_refused(wrong, where):
    term = {"source": "demonstrations", "objective": "nll", **wrong}
    with pytest.raises(ValidationError) as caught:
        TermOptions.model_validate(term)
    assert [error["loc"] for error in caught.value.errors()] == [where]
