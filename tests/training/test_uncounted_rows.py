"""Rows that no term counts cost no pass, and change neither the gradient nor what is logged."""

from dataclasses import replace

import pytest
import torch
from accumulating import room

from uniapl_cli.batches import ChoiceBatch
from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.training.accumulate import accumulate, prepare
from uniapl_cli.training.counting import counted
from uniapl_cli.training.terms import Term

EXPERT = torch.tensor([True, False, False, True, False, False])
SHARE = torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5, 0.5])


def term(name, rows, reduction="token", over="rows"):
    return Term(
        name,
        "s",
        lambda values: 1.0,
        objectives["nll"].definition,
        reduction=reductions.bind(reductions.options(reduction), longest=9),
        rows=Formula(rows, "truth"),
        over=over,
    )


@pytest.fixture
def batch(new_batch):
    return replace(new_batch([3, 9, 2, 7, 1, 5]), known={"expert": EXPERT, "right_share": SHARE})


@pytest.fixture
def result(new_policy):
    def make(terms, batch, counts, size=2):
        policy = new_policy(0)
        micros = prepare(policy, terms, {"s": batch}, {"s": room(batch, size)})
        weights = {one.name: 0.5 for one in terms}
        means, _ = accumulate(policy, terms, weights, micros, counts)
        gradient = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
        return gradient, {name: mean.value for name, mean in means.items()}, micros["s"]

    return make


# A gate: the first group is imitated, of the second the rollouts are learnt from.
GATE = ("expert and right_share <= 0", "not expert and right_share > 0")


@pytest.mark.parametrize("over", ["rows", "source"])
@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_left_out_rows_change_nothing(batch, result, reduction, over):
    terms = [term(name, rows, reduction, over) for name, rows in zip("ab", GATE, strict=True)]
    expected, means, _ = result(terms, batch, {})
    kept, counts = counted(terms, {"s": batch})
    assert len(kept["s"].loss_mask) == 3
    gradient, ours, micros = result(terms, kept["s"], counts.denominators)
    assert sum(len(micro.loss_mask) for micro in micros) == 3
    assert (gradient - expected).norm() < 1e-5 * expected.norm()
    for name in "ab":
        assert ours[name] == pytest.approx(means[name], rel=1e-5)
        assert counts.logged[f"{name}/counted"] == pytest.approx(means[f"{name}/counted"])


def test_a_step_that_teaches_nothing_still_makes_a_pass(batch, result):
    terms = [term("a", "right_share > 1")]
    kept, counts = counted(terms, {"s": batch})
    gradient, means, _ = result(terms, kept["s"], counts.denominators)
    assert len(kept["s"].loss_mask) == 1
    assert gradient.norm() == means["a"] == counts.shares["a"] == 0


def test_what_all_terms_need_stays_as_it_is(batch):
    terms = [term("a", "expert or not expert")]
    assert counted(terms, {"s": batch})[0]["s"] is batch


def test_what_is_known_after_a_pass_only_is_left_to_that(batch):
    later = replace(term("a", "expert"), tokens=Formula("entropy_rank > 0.5", "truth"))
    kept, counts = counted([later], {"s": batch})
    assert kept["s"] is batch and counts.denominators == counts.logged == {}


def test_batches_of_another_kind_stay_whole(new_batch):
    choices = ChoiceBatch(new_batch([3, 4]))
    one = Term("a", "c", lambda values: 1.0, objectives["dpo"].definition)
    assert counted([one], {"c": choices})[0]["c"] is choices
