"""What holds for every objective, also for the one that somebody registers tomorrow."""

from dataclasses import fields, replace

import pytest
import torch
from accumulating import accumulated_means
from objective_cases import Frozen, batch_of, readings_of

from uniapl_cli.batches import PairBatch
from uniapl_cli.objectives import objectives
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.terms import Term

OF_TOKENS = [name for name in objectives if isinstance(batch_of(name).model_input(), TokenBatch)]


def tensors(batch):
    """Return all tensors of a batch by name."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    values |= values.pop("advantages", {})
    for name, value in [pair for pair in values.items() if isinstance(pair[1], TokenBatch)]:
        values |= {f"{name}.{inner}": tensor for inner, tensor in tensors(value).items()}
    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}


@pytest.fixture
def term(name, objective):
    """A term of the objective that needs all there is."""
    readings = readings_of(name)
    return Term(
        "term", "source", lambda scales: 1.0, objective, needs_reference=True, readings=readings
    )


def accumulated(term, trainable, batch, micro_batch_size):
    """Return the mean and the gradient that `accumulate` makes of the term."""
    trainable.table.grad = None
    batches = {"source": batch}
    if isinstance(batch, PairBatch):
        term = replace(term, needs_reference=False)
    means = accumulated_means(trainable, [term], {"term": 1.0}, batches, micro_batch_size, Frozen())
    return means["term"].value, trainable.table.grad


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
    assert result.per_token.shape == batch.loss_mask.shape
    assert {value.shape for value in result.metrics.values()} <= {batch.loss_mask.shape}
    assert result.per_token.isfinite().all()


@pytest.mark.parametrize("name", OF_TOKENS)
def test_only_places_of_the_mask_get_a_gradient(objective, outputs, batch):
    mean, _ = Term("term", "source", lambda scales: 1.0, objective).loss(outputs, batch)
    mean.total.backward()
    mask = batch.model_input().loss_mask
    leaves = outputs, *getattr(batch, "readings", {}).values()
    grads = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert not any(grad[~mask].any() for grad in grads)
    assert any(grad[mask].any() for grad in grads)


def test_a_mean_is_over_the_places_of_the_mask(objective, outputs, batch):
    outputs = outputs.detach()
    mean, metrics = Term("term", "source", lambda scales: 1.0, objective).loss(outputs, batch)
    result = objective(outputs, batch)
    expected = float(result.per_token.detach()[batch.loss_mask].mean())
    assert mean.each(torch.Tensor.detach).value == pytest.approx(expected)
    assert set(metrics) == {*result.metrics, *result.maxima, *result.weights}
    for name, values in result.metrics.items():
        expected = float(values[batch.loss_mask].double().mean())
        assert metrics[name].value == pytest.approx(expected)


@pytest.mark.parametrize("micro_batch_size", [1, 2, 3])
def test_the_gradient_does_not_depend_on_the_micro_batch(term, trainable, batch, micro_batch_size):
    whole, expected = accumulated(term, trainable, batch, len(batch.loss_mask))
    value, result = accumulated(term, trainable, batch, micro_batch_size)
    assert expected.norm() > 0
    assert (result - expected).norm() < 1e-12 * expected.norm()
    assert value == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("name", OF_TOKENS)
def test_an_empty_mask_has_a_gradient_of_zero(term, trainable, batch):
    rows = batch.model_input()
    empty = replace(rows, loss_mask=torch.zeros_like(rows.loss_mask))
    if rows is not batch:
        empty = replace(batch, answers=empty)
    value, result = accumulated(term, trainable, empty, 2)
    assert value == 0
    assert result.norm() == 0
