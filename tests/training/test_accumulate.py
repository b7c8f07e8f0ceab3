"""One step's gradient: of the whole step's means, whatever the micro-batches."""

from dataclasses import dataclass, replace

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli.batches import LabelledBatch
from uniapl_cli.objectives import objectives
from uniapl_cli.ranks import ALONE
from uniapl_cli.tensors import Batch, TokenLoss
from uniapl_cli.training.accumulate import gradient_norm, prepare
from uniapl_cli.training.terms import Term

NLL = objectives["nll"].definition
LENGTHS = [1, 30, 2, 17, 1, 5]


def term(name, source, objective=NLL, **facts):
    return Term(name, source, lambda values: 0.0, objective, **facts)


def flat(policy):
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


def accumulated(new_policy, terms, weights, batches, size=3):
    """Return the gradient in a fresh policy as one vector, and the means."""
    policy = new_policy(0)
    means = accumulated_means(policy, terms, weights, batches, size, new_policy(1))
    return flat(policy), means


SURROGATE = objectives.bind(objectives.options("surrogate", reward="verifier"))
TERMS = {
    "nll": term("term", "s"),
    "chord_phi": term("term", "s", objectives["chord_phi"].definition),
    "surrogate": term("term", "s", SURROGATE),
    "kl": term("term", "s", objectives["kl"].definition, needs_reference=True),
}


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_gradient_does_not_depend_on_the_micro_batch(new_policy, new_batch, kind, size):
    arguments = [TERMS[kind]], {"term": 1.0}, {"s": new_batch(LENGTHS)}
    expected, whole = accumulated(new_policy, *arguments, len(LENGTHS))
    result, means = accumulated(new_policy, *arguments, size)
    assert (result - expected).norm() < 1e-5 * expected.norm()
    assert {n: m.value for n, m in means.items()} == pytest.approx(
        {n: m.value for n, m in whole.items()}, rel=1e-4, abs=1e-6
    )


def test_the_mean_is_over_the_tokens_not_over_the_rows(new_policy, new_batch):
    batch = new_batch(LENGTHS)
    _, means = accumulated(new_policy, [term("sft", "s")], {"sft": 1.0}, {"s": batch})
    logps = new_policy(0).forward(batch).detach()
    assert means["sft"].value == pytest.approx(-float(logps[batch.loss_mask].mean()), rel=1e-5)
    assert int(means["sft"].count) == sum(LENGTHS)


def test_each_source_is_divided_by_its_own_count(new_policy, new_batch):
    batches = {"a": new_batch([2, 2], seed=1), "b": new_batch([25, 9], seed=2)}
    terms, weights = [term("x", "a"), term("y", "b")], {"x": 1.0, "y": 1.0}
    both, _ = accumulated(new_policy, terms, weights, batches)
    alone = [
        accumulated(new_policy, [one], weights, {one.source: batches[one.source]})[0]
        for one in terms
    ]
    assert (both - sum(alone)).norm() < 1e-5 * both.norm()


@pytest.mark.parametrize("weight", [0.25, -1.0, 1e-4])
def test_the_gradient_is_proportional_to_the_weight(new_policy, new_batch, weight):
    batches = {"s": new_batch([4, 9])}
    one, _ = accumulated(new_policy, [term("x", "s")], {"x": 1.0}, batches)
    other, means = accumulated(new_policy, [term("x", "s")], {"x": weight}, batches)
    assert (other - weight * one).norm() < 1e-5 * other.norm()
    assert means["x"].value > 0


def test_the_terms_of_a_source_share_one_forward_pass(new_policy, new_batch):
    policy, passes = new_policy(0), []
    policy.net.backbone.register_forward_hook(lambda *_: passes.append(1))
    terms = [term("x", "s"), term("y", "s", SURROGATE)]
    accumulated_means(policy, terms, {"x": 1.0, "y": 1.0}, {"s": new_batch([4, 9, 1])}, 2)
    assert len(passes) == 2


def test_an_empty_mask_can_be_gone_back_through(new_policy, new_batch):
    gradient, means = accumulated(
        new_policy, [term("x", "s")], {"x": 1.0}, {"s": new_batch([0, 0, 0])}, 2
    )
    assert gradient.norm() == 0
    assert means["x"].value == 0


def test_a_source_without_terms_can_be_gone_back_through(new_policy, new_batch):
    gradient, means = accumulated(new_policy, [], {}, {"s": new_batch([2, 3])}, 1)
    assert gradient.norm() == 0
    assert means == {}


def test_gradients_add_to_those_that_are_there(new_policy, new_batch):
    policy, batches = new_policy(0), {"s": new_batch([4, 9])}
    for _ in range(2):
        accumulated_means(policy, [term("x", "s")], {"x": 1.0}, batches, 2)
    once, _ = accumulated(new_policy, [term("x", "s")], {"x": 1.0}, batches, 2)
    assert (flat(policy) - 2 * once).norm() < 1e-5 * once.norm()


def test_the_reference_is_read_anew_and_gets_no_gradient(new_policy, new_batch):
    policy, reference = new_policy(0), new_policy(1)
    batch = new_batch([4, 9], ref_logps=None)
    kl = TERMS["kl"]
    means = accumulated_means(policy, [kl], {"term": 1.0}, {"s": batch}, 2, reference)
    assert all(p.grad is None for p in reference.model.parameters())
    d = (reference.forward(batch) - policy.forward(batch)).detach()[batch.loss_mask]
    assert means["term"].value == pytest.approx(float((d.expm1() - d).mean()), rel=1e-4)


def test_a_policy_that_is_its_reference_has_no_divergence(new_policy, new_batch):
    policy = new_policy(0)
    batch = {"s": new_batch([4, 9], ref_logps=None)}
    means = accumulated_means(policy, [TERMS["kl"]], {"term": 1.0}, batch, 1, new_policy(0))
    assert means["term"].value == 0
    assert flat(policy).norm() == 0


def test_metrics_are_named_after_their_term(new_policy, new_batch):
    _, means = accumulated(
        new_policy, [TERMS["surrogate"]], {"term": 1.0}, {"s": new_batch([4, 9])}
    )
    logged = ("clip_ratio", "sampler_gap", "sampler_gap_max", "effective_sample_size")
    assert set(means) == {"term", *(f"term/{name}" for name in logged)}
    parts = [part for mean in means.values() for part in vars(mean).values()]
    assert parts and not any(part.requires_grad for part in parts)


@pytest.mark.parametrize(("limit", "after"), [(1.0, 1.0), (10.0, 5.0)])
def test_a_gradient_is_scaled_down_to_its_limit(limit, after):
    parameters = [torch.zeros(2, requires_grad=True) for _ in range(2)]
    for parameter, gradient in zip(parameters, ([3.0, 0.0], [0.0, 4.0]), strict=True):
        parameter.grad = torch.tensor(gradient)
    assert gradient_norm(parameters, limit) == pytest.approx(5.0)
    assert gradient_norm(parameters, 1e9) == pytest.approx(after, rel=1e-5)


def test_a_prompt_without_anothers_answer_takes_no_part_in_ktos_baseline(new_policy, new_batch):
    """Two rows of which one has no mismatched answer: the baseline is the other's gain alone."""
    policy, reference = new_policy(0), new_policy(1)
    batches = []
    for lengths in ([4, 0], [4, 5]):
        mismatched = new_batch(lengths, seed=3, ref_logps=None)
        desirable = torch.tensor([True, False])
        batches.append(LabelledBatch(new_batch([3, 6], ref_logps=None), desirable, mismatched))
    kto = term("term", "s", objectives["kto"].definition, needs_reference=True)

    def baseline(batch):
        prepared = prepare(policy, [kto], {"s": batch}, {"s": 99}, reference)
        (micro,) = prepared["s"]
        return float(micro.completed([micro.contribution(policy.forward)]).baseline)

    side = batches[0].mismatched
    gains = ((policy.forward(side) - reference.forward(side)) * side.loss_mask).sum(1).detach()
    assert baseline(batches[0]) == pytest.approx(max(float(gains[0]), 0.0), rel=1e-5)
    assert float(gains[0]) > 0
    assert baseline(batches[1]) != pytest.approx(baseline(batches[0]), rel=1e-3)


@dataclass(frozen=True)
class Bounded(Batch):
    """A batch that no part of the program knows: numbers, and the largest of the whole step."""

    numbers: torch.Tensor
    largest: float | None = None

    @property
    def loss_mask(self):
        return torch.ones(len(self.numbers), 1, dtype=torch.bool)

    def row_lengths(self):
        return torch.ones(len(self.numbers), dtype=torch.long)

    def take(self, rows):
        return replace(self, numbers=self.numbers[rows])

    def to(self, device):
        return replace(self, numbers=self.numbers.to(device))

    def contribution(self, forward):
        return self.numbers.max()

    def completed(self, contributions):
        return replace(self, largest=max(map(float, contributions)))


class Scale:
    """A trainable of one number."""

    device = torch.device("cpu")
    ranks = ALONE

    def __init__(self):
        self.factor = torch.tensor(2.0, requires_grad=True)

    def forward(self, batch):
        return (self.factor * batch.numbers).unsqueeze(1)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_batch_of_another_package_is_trained_on_like_ours(size):
    def loss(outputs, batch):
        return TokenLoss(outputs / batch.largest)

    trainable, batch = Scale(), Bounded(torch.tensor([1.0, 4.0, 2.0, 8.0, 5.0]))
    means = accumulated_means(trainable, [term("x", "s", loss)], {"x": 1.0}, {"s": batch}, size)
    assert means["x"].value == 2 * 20 / 8 / 5
    assert trainable.factor.grad == 20 / 8 / 5
