"""The noise of a term's gradient is that of its rows, whatever the micro-batches."""

from dataclasses import replace

import pytest
import torch

from uniapl_cli import load_config
from uniapl_cli.errors import ConfigError
from uniapl_cli.monitoring.noise import compared, halves, noise_report, noisy_terms
from uniapl_cli.objectives import objectives
from uniapl_cli.objectives.reductions import reductions
from uniapl_cli.sources import SourceBatch
from uniapl_cli.training.drawing import in_halves
from uniapl_cli.training.optim import optimizers
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import Update

NLL = objectives["nll"].definition
SEQUENCE = reductions.bind(reductions.options("sequence"), longest=9)
METRICS = ("noise/a", "noise/b", "disagreement/a~b")


def test_groups_stay_together():
    assert halves([4, 4, 7, 7, 1, 1]).tolist() == [False, False, True, True, False, False]
    assert halves(range(4)).tolist() == [False, True, False, True]


def test_what_metrics_need():
    assert noisy_terms([*METRICS, "gradients/c", "loss"]) == ["a", "b"]
    assert noisy_terms(["disagreement/a~c"]) == ["a", "c"]
    assert compared(METRICS) == [("a", "b")]


def test_of_known_gradients():
    known = {
        ("a", False): [torch.tensor([3.0, 0.0])],
        ("a", True): [torch.tensor([1.0, 0.0])],
        ("b", False): [torch.tensor([0.0, 5.0])],
        ("b", True): [torch.tensor([0.0, 3.0])],
    }
    report = noise_report(lambda name, half: known[name, half], ["a", "b"], [("a", "b")])
    assert report == {
        "noise/a": 1.0,
        "noise/b": 1.0,
        "disagreement/a~b": 4.0 + 16.0 - 2.0,
        "agreement/a~b": 0.0,
    }


def test_noise_is_the_variance_of_a_mean_over_rows():
    """Of rows with a spread of 2, half of 8 differ from the other half by 2 * 2 / sqrt(8)."""
    rng = torch.Generator().manual_seed(0)
    rows = 2.0 * torch.randn(4000, 8, generator=rng, dtype=torch.float64)
    found = []
    for row in rows:
        sides = {False: [row[::2].mean()[None]], True: [row[1::2].mean()[None]]}
        found.append(noise_report(lambda name, half, s=sides: s[half], ["a"], [])["noise/a"])
    assert sum(found) / len(found) == pytest.approx(4 / 8, rel=0.1)


@pytest.fixture
def measured(new_policy, new_batch):
    """measured(size, **term): the metrics by the updater, and gradients row by row."""

    def make(size=99, **term):
        policy = new_policy(0)
        optimizer = optimizers.bind(optimizers.options("adamw"))(policy.model)
        updater = Updater(policy, optimizer, [Update()], measured=METRICS)
        whole = {"a": new_batch([3, 5, 2, 4], seed=1), "b": new_batch([6, 1], seed=2)}
        terms = [Term(n, n, lambda values: 1.0, NLL, reduction=SEQUENCE, **term) for n in whole]
        rows = in_halves(whole, {n: SourceBatch(one) for n, one in whole.items()}, {"a", "b"})
        micros = {n: list(one.split(size)) for n, one in rows.items()}
        found = updater.gradient_metrics(1, terms, {"a": 0.3, "b": 0.0}, micros)
        assert all(p.grad is None for p in policy.model.parameters())
        return found, {n: by_row(policy, one) for n, one in whole.items()}

    return make


def by_row(policy, batch):
    """Each row's own gradient of its mean loss: (B, numbers)."""
    found = []
    for index in range(len(batch.loss_mask)):
        one = batch.take(torch.tensor([index]))
        policy.model.zero_grad(set_to_none=True)
        (-policy.forward(one).sum() / one.loss_mask.sum()).backward()
        found.append(torch.cat([p.grad.flatten() for p in policy.model.parameters()]))
    policy.model.zero_grad(set_to_none=True)
    return torch.stack(found).double()


@pytest.mark.parametrize("size", [99, 1, 9])
@pytest.mark.parametrize("over", ["rows", "source"])
def test_the_updater_measures_what_rows_have_one_by_one(measured, size, over):
    found, rows = measured(size, over=over)
    means = {}
    for name, gradients in rows.items():
        one, other = gradients[::2].mean(0), gradients[1::2].mean(0)
        expected = (one - other).square().sum().item() / 4
        assert found[f"noise/{name}"] == pytest.approx(expected, rel=1e-4)
        means[name] = (one + other) / 2
    distance = (means["a"] - means["b"]).square().sum().item()
    expected = distance - found["noise/a"] - found["noise/b"]
    product = (means["a"] @ means["b"]).item()
    assert found["agreement/a~b"] == pytest.approx(product, rel=1e-3)
    assert found["disagreement/a~b"] == pytest.approx(expected, rel=1e-3)


def test_rows_that_a_term_leaves_out_are_in_neither_half(measured, new_batch):
    term = Term("a", "a", lambda values: 1.0, NLL)
    assert term.of_rows("half").rows.text == "half"
    assert replace(term, rows=term.of_rows("half").rows).of_rows("not half").rows.text == (
        "(half) and not half"
    )


def test_noise_is_of_tokens_rows_alone():
    mu = "{kind: noise_ratio, reinforcement: noise/preference, imitation: loss, disagreement: loss}"
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"schedules.mu={mu}", "terms.preference.weight=mu"], "dpo")
    assert caught.value.key == "schedules.mu.reinforcement"
