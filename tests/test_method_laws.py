"""What holds for every packaged method, also for the one whose YAML is added tomorrow."""

from dataclasses import replace

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli import load_config
from uniapl_cli.batches import ChoiceBatch, LabelledBatch
from uniapl_cli.commands.method import plan
from uniapl_cli.config.methods import packaged
from uniapl_cli.sources import sources
from uniapl_cli.tensors import TokenBatch

# Weights that no two terms share, so that one in another's place shows.
RATES = {"alpha": 0.3, "lambda_adv": 0.17, "beta_kl": 0.23, "mu": 0.4, "phase": 0.6, "coin": 0.7}
NAMES = sorted(packaged())


@pytest.fixture(params=NAMES)
def method(request):
    """The terms of each packaged method, and their weights at the first step."""
    common = ["training.steps=1", "discriminator.path=tiny:polar"]
    schedules = load_config(None, common, request.param).schedules
    rates = [f"schedules.{name}={RATES[name]}" for name in schedules if name in RATES]
    config = load_config(None, [*common, *rates], request.param)
    method = plan(config)
    values, weights = method.schedule_values(0), method.weights(0)
    assert all(weights.values()), "name the schedule in RATES"
    kinds = {term.source: config.source_kind(term.source).name for term in method.terms}
    return [replace(t, values=values, source=kinds[t.source]) for t in method.terms], weights


@pytest.fixture(scope="module")
def batches(new_batch):
    """A batch of every source, of uneven rows, with the advantages of both rewards."""
    values = {
        name: torch.tensor([0.7, -1.1, 0.4, -0.2]) for name in ("verifier", "anchor", "judge")
    }

    def rows(lengths, seed):
        some = {name: value[: len(lengths)] for name, value in values.items()}
        batch = new_batch(lengths, seed=seed, advantages=some)
        return replace(batch, known=known(batch))

    return {
        "demonstrations": rows([2, 17, 5], 1),
        "rollouts": rows([9, 1, 1, 20], 2),
        "demonstration_rollouts": rows([4, 4], 3),
        "choices": ChoiceBatch(rows([3, 8, 5, 2], 4)),
        "held_demonstrations": rows([6, 3], 7),
        "held_rollouts": rows([8, 2, 11], 8),
        "held_pairs": ChoiceBatch(rows([3, 8, 5, 2], 9)),
        "labels": LabelledBatch(
            rows([3, 8, 5], 5), torch.tensor([True, False, True]), rows([8, 5, 3], 6)
        ),
    }


def known(batch):
    """Facts of two groups: the teacher's row and one that begins as it does, and two of the policy.

    None of the first group's own rows is right, one of the second's is.
    """
    count, mask = len(batch.loss_mask), batch.loss_mask
    place = mask.long().cumsum(1) - 1
    given = torch.tensor([99, 5, 0, 0][:count]).unsqueeze(1)
    facts = {
        "expert": torch.tensor([True, False, False, False]),
        "right": torch.tensor([True, False, True, False]),
        "another_right": torch.tensor([False, True, False, True]),
        "right_share": torch.tensor([0.0, 0.0, 0.5, 0.5]),
        "reward": torch.tensor([1.0, 0.0, 1.0, 0.0]),
        "all_equal": torch.tensor([True, True, False, False]),  # but for the teacher's
    }
    of_rows = {name: value[:count] for name, value in facts.items()}
    return {**of_rows, "given": mask & (place < given), "position": place.float()}


@pytest.fixture
def gradient(new_policy, batches):
    """gradient(terms, weights, size): in a fresh policy, as one vector."""

    def make(terms, weights, size=2, sources=batches):
        policy = new_policy(0)
        needed = {name: sources[name] for name in sources if name in {t.source for t in terms}}
        named = {name for term in terms for name in (*term.references, *term.teachers)}
        others = dict.fromkeys(named, new_policy(2))
        accumulated_means(policy, terms, weights, needed, size, new_policy(1), others)
        return torch.cat([p.grad.flatten() for p in policy.model.parameters()])

    return make


def test_there_is_a_batch_for_every_source(batches):
    assert {name: type(batch) for name, batch in batches.items()} == {
        name: sources[name].traits["batch"] for name in sources if name != "comparisons"
    }


def test_the_gradient_is_the_weighted_sum_of_its_terms(method, gradient):
    """Eq. (3): one backward pass over everything is the sum of the passes over each."""
    terms, weights = method
    whole = gradient(terms, weights)
    parts = [weights[term.name] * gradient([term], {term.name: 1.0}) for term in terms]
    assert all(part.norm() > 0 for part in parts)
    assert (whole - sum(parts)).norm() < 1e-5 * whole.norm()


@pytest.mark.parametrize("size", [1, 3])
def test_the_micro_batches_change_nothing(method, gradient, size):
    expected = gradient(*method, size=99)
    assert (gradient(*method, size=size) - expected).norm() < 1e-5 * expected.norm()


def test_a_weight_of_zero_is_a_term_left_out_to_the_bit(method, gradient):
    terms, weights = method
    for term in terms[1:]:
        rest = [other for other in terms if other is not term]
        if term.source not in {other.source for other in rest}:
            continue  # its source would still be passed through, for nothing
        beside = [other for other in rest if other.source == term.source]
        if set(term.readings) - {reading for other in beside for reading in other.readings}:
            continue  # a pass that gives an entropy too rounds otherwise; the loop drops the term
        assert torch.equal(gradient(terms, {**weights, term.name: 0.0}), gradient(rest, weights))


@pytest.mark.slow
def test_an_empty_source_can_be_gone_back_through(method, gradient, batches):
    terms, weights = method
    for source in {term.source for term in terms}:
        result = gradient(terms, weights, sources={**batches, source: emptied(batches[source])})
        rest = [term for term in terms if term.source != source]
        assert result.isfinite().all()
        expected = gradient(rest, weights) if rest else torch.zeros_like(result)
        assert (result - expected).norm() <= 1e-6 * (1 + expected.norm())


def emptied(batch):
    if isinstance(batch, TokenBatch):
        return replace(batch, loss_mask=torch.zeros_like(batch.loss_mask))
    return replace(batch, answers=emptied(batch.answers))
