"""What holds for every objective, also for the one that somebody registers tomorrow."""

from dataclasses import fields, replace

import pytest
import torch
from accumulating import accumulated_means
from objective_cases import batch_of

from uniapl_cli.objectives import objectives
from uniapl_cli.preferences import PairBatch
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.terms import Term

OF_TOKENS = [name for name in objectives if isinstance(batch_of(name).model_input(), TokenBatch)]


def tensors(batch):
    """Return all tensors of a batch by name."""
    given = {field.name: getattr(batch, field.name) for field in fields(batch)}
    given |= given.pop("advantages", {})
    for name, value in [pair for pair in given.items() if isinstance(pair[1], TokenBatch)]:
        given |= {f"{name}.{inner}": tensor for inner, tensor in tensors(value).items()}
    return {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}


class Frozen:
    """A reference that says of every batch what the batch says already."""

    def forward(self, batch):
        return batch.ref_logps


def accumulated(objective, learner, batch, micro_batch_size):
    """Return the mean and the gradient that `accumulate` makes of the objective."""
    term = Term("term", "source", lambda scales: 1.0, objective, needs_reference=True)
    learner.table.grad = None
    batches = {"source": batch}
    if isinstance(batch, PairBatch):
        term = replace(term, needs_reference=False)
    means = accumulated_means(learner, [term], {"term": 1.0}, batches, micro_batch_size, Frozen())
    return means["term"].value, learner.table.grad


def test_it_leaves_its_inputs_as_they_were(objective, outputs, batch):
    inputs = {"outputs": outputs, **tensors(batch)}
    before = {name: value.detach().clone() for name, value in inputs.items()}
    written = {name: value._version for name, value in inputs.items()}
    objective(outputs, batch)
    objective(outputs, batch)
    assert all(torch.equal(inputs[name], before[name]) for name in inputs)
    assert {name: value._version for name, value in inputs.items()} == written


def test_it_says_the_same_twice(objective, outputs, batch):
    first, second = objective(outputs, batch), objective(outputs, batch)
    assert torch.equal(first.per_token, second.per_token)
    assert first.metrics.keys() == second.metrics.keys()
    assert all(torch.equal(first.metrics[name], second.metrics[name]) for name in first.metrics)


def test_losses_and_metrics_are_as_many_as_the_places(objective, outputs, batch):
    result = objective(outputs, batch)
    assert result.per_token.shape == batch.mask.shape
    assert {value.shape for value in result.metrics.values()} <= {batch.mask.shape}
    assert result.per_token.isfinite().all()


@pytest.mark.parametrize("name", OF_TOKENS)
def test_only_places_of_the_mask_get_a_gradient(objective, outputs, batch):
    mean, _ = Term("term", "source", lambda scales: 1.0, objective).loss(outputs, batch)
    mean.total.backward()
    mask = batch.model_input().mask
    assert not outputs.grad[~mask].any()
    assert outputs.grad[mask].any()


def test_a_mean_is_over_the_places_of_the_mask(objective, outputs, batch):
    outputs = outputs.detach()
    mean, metrics = Term("term", "source", lambda scales: 1.0, objective).loss(outputs, batch)
    result = objective(outputs, batch)
    assert mean.value == pytest.approx(float(result.per_token[batch.mask].mean()))
    for name, found in metrics.items():
        assert found.value == pytest.approx(float(result.metrics[name][batch.mask].double().mean()))


@pytest.mark.parametrize("micro_batch_size", [1, 2, 3])
def test_the_gradient_does_not_depend_on_the_micro_batch(
    objective, learner, batch, micro_batch_size
):
    whole, expected = accumulated(objective, learner, batch, len(batch.mask))
    value, found = accumulated(objective, learner, batch, micro_batch_size)
    assert expected.norm() > 0
    assert (found - expected).norm() < 1e-12 * expected.norm()
    assert value == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("name", OF_TOKENS)
def test_an_empty_mask_has_a_gradient_of_zero(objective, learner, batch):
    rows = batch.model_input()
    empty = replace(rows, mask=torch.zeros_like(rows.mask))
    if rows is not batch:
        empty = replace(batch, answers=empty)
    value, found = accumulated(objective, learner, empty, 2)
    assert value == 0
    assert found.norm() == 0
