"""The methods are one sum of gradients, and each special case of the sum is exact."""

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli.objectives import objectives
from uniapl_cli.training.terms import Term


def bound(name, **options):
    return objectives.bind(objectives.options(name, **options))


# term: (source, weight, objective with its options bound)
UNIFIED = {
    "imitation": ("demonstrations", 0.3, bound("nll")),
    "preference": ("rollouts", 0.7, bound("surrogate", reward="verifier")),
    "adversarial_sft": ("demonstration_rollouts", 0.15, bound("surrogate", reward="anchor")),
    "adversarial_pref": ("rollouts", 0.35, bound("surrogate", reward="anchor")),
    "kl": ("rollouts", 0.2, bound("kl")),
}


@pytest.fixture(scope="module")
def batches(new_batch):
    return {
        "demonstrations": new_batch([2, 17, 5], seed=1),
        "rollouts": new_batch([9, 1, 1, 20], seed=2),
        "demonstration_rollouts": new_batch([4, 4], seed=3),
    }


def gradient(new_policy, batches, names, weights):
    """Return the gradient of the named terms of UNIFIED as one vector, in one fresh policy."""
    policy, reference = new_policy(0), new_policy(1)
    terms = [
        Term(name, source, lambda values: 0.0, objective, needs_reference=name == "kl")
        for name, (source, _, objective) in UNIFIED.items()
        if name in names
    ]
    needed = {term.source: batches[term.source] for term in terms}
    accumulated_means(policy, terms, weights, needed, 2, reference)
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


def test_the_gradient_of_unified_is_the_weighted_sum_of_its_parts(new_policy, batches):
    weights = {name: weight for name, (_, weight, _) in UNIFIED.items()}
    whole = gradient(new_policy, batches, UNIFIED, weights)
    parts = [w * gradient(new_policy, batches, [n], {n: 1.0}) for n, w in weights.items()]
    assert all(part.norm() > 1e-3 * whole.norm() for part in parts)
    assert (whole - sum(parts)).norm() < 1e-5 * whole.norm()


# How the schedules of one method make another one of it.
KL = "schedules.beta_kl=0.1"
SAME = [
    ("unified", ["schedules.alpha=1", "schedules.lambda_adv=0"], "sft", []),
    ("unified", ["schedules.alpha=0", "schedules.lambda_adv=0", KL], "grpo", [KL]),
    ("unified", ["schedules.alpha=1"], "asft", []),
    ("unified", ["schedules.alpha=0", KL], "agrpo", [KL]),
    ("asft", ["schedules.lambda_adv=0"], "sft", []),
    ("agrpo", ["schedules.lambda_adv=0", KL], "grpo", [KL]),
    ("chord", ["schedules.mu=1"], "sft", []),
    ("chord", ["schedules.mu=0", KL], "grpo", [KL]),
]


# Two of them in the quick run.
CASES = [*SAME[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in SAME[2:])]


@pytest.mark.parametrize(("general", "choices", "special", "its"), CASES)
def test_a_special_case_is_the_other_method_to_the_bit(
    general, choices, special, its, train_tiny, weights, logged
):
    first = train_tiny(general, "general", *choices)
    second = train_tiny(special, "special", *its)
    assert weights(first) == weights(second)
    assert [row["loss"] for row in logged(first)] == [row["loss"] for row in logged(second)]
    assert all(row["grad_norm"] > 0.01 for row in logged(first))


@pytest.mark.slow
def test_other_weights_are_not_the_special_case(train_tiny, weights):
    unified = [train_tiny("unified", f"a{a}", f"schedules.alpha={a}") for a in (0.9, 1)]
    assert weights(unified[0]) != weights(unified[1])


@pytest.mark.slow
def test_a_weight_of_zero_is_a_term_left_out_to_the_bit(train_tiny, weights):
    zero = train_tiny("unified", "zero", "schedules.lambda_adv=0")
    absent = train_tiny(
        "unified", "absent", "terms.adversarial_sft=null", "terms.adversarial_pref=null"
    )
    assert weights(zero) == weights(absent)


@pytest.mark.slow
def test_the_micro_batch_changes_nothing_but_rounding(train_tiny, logged):
    norms = [
        [row["grad_norm"] for row in logged(train_tiny("unified", str(size), *one_step(size)))]
        for size in (1, 70, 150, 9999)
    ]
    for other in norms[1:]:
        assert other == pytest.approx(norms[0], rel=1e-5)


def one_step(size):
    # Beyond the first step rounding may flip a sampled token.
    return "training.steps=1", f"training.micro_batch_tokens={size}"
