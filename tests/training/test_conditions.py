"""Terms that count some rows or tokens, and weigh them: the laws of `rows`, `tokens`, `scale`."""

from dataclasses import replace

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives, reductions
from uniapl_cli.training.terms import Term

NLL = objectives["nll"].definition
LENGTHS = [1, 9, 2, 7, 1, 5]
EXPERT = torch.tensor([True, False, True, False, False, False])
SHARE = torch.tensor([0.0, 0.0, 0.25, 0.25, 1.0, 1.0])


def term(name="term", rows=None, tokens=None, scale=None, reduction="token", **more):
    """A term of nll with these formulas."""
    return Term(
        name,
        "s",
        lambda values: 1.0,
        NLL,
        reduction=reductions.bind(reductions.options(reduction), longest=9),
        rows=rows and Formula(rows, "truth"),
        tokens=tokens and Formula(tokens, "truth"),
        scale=scale and Formula(scale),
        **more,
    )


@pytest.fixture
def batch(new_batch):
    """A batch of uneven rows, with facts of rows and of tokens."""
    made = new_batch(LENGTHS)
    place = made.loss_mask.long().cumsum(1) - 1
    known = {"expert": EXPERT, "right_share": SHARE, "position": place.float()}
    return replace(made, known=known)


@pytest.fixture
def result(new_policy, batch):
    """result(terms, size=2, batch=batch): the gradient as a vector, and the means."""

    def make(terms, size=2, batch=batch):
        policy = new_policy(0)
        weights = {one.name: 1.0 for one in terms}
        means = accumulated_means(policy, terms, weights, {"s": batch}, size)
        return torch.cat([p.grad.flatten() for p in policy.model.parameters()]), means

    return make


@pytest.mark.parametrize(
    "always",
    [
        {"rows": "expert or not expert"},
        {"tokens": "position >= 0"},
        {"scale": "1"},
        {"rows": "gate > 0", "values": {"gate": 1.0}},
        {"over": "source"},
    ],
)
def test_what_is_always_true_or_one_is_left_out_to_the_bit(result, always):
    plain, means = result([term()])
    gradient, ours = result([term(**always)])
    assert torch.equal(gradient, plain)
    assert ours["term"].value == means["term"].value


@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_a_term_over_some_rows_is_the_term_over_a_batch_of_them(result, batch, reduction):
    """But for `constant`, whose denominator counts all rows of the source."""
    gradient, means = result([term(rows="expert and right_share <= 0.25", reduction=reduction)])
    chosen = (EXPERT & (SHARE <= 0.25)).nonzero().flatten()
    expected, theirs = result([term(reduction=reduction)], batch=batch.take(chosen))
    factor = len(chosen) / len(EXPERT) if reduction == "constant" else 1.0
    assert (gradient - factor * expected).norm() < 1e-5 * expected.norm()
    assert means["term"].value == pytest.approx(factor * theirs["term"].value, rel=1e-5)


def test_terms_over_parts_of_a_source_add_up_to_the_whole(result):
    """Under one denominator; with one each, they do not."""
    whole, _ = result([term()])
    parts = [term("a", "expert", over="source"), term("b", "not expert", over="source")]
    assert (result(parts)[0] - whole).norm() < 1e-5 * whole.norm()
    apart = [replace(one, over="rows") for one in parts]
    assert (result(apart)[0] - whole).norm() > 1e-2 * whole.norm()


def test_tokens_are_counted_one_by_one(result, batch, new_policy):
    _, means = result([term(tokens="position < 2 and not expert")])
    mask = batch.loss_mask & (batch.facts["position"] < 2) & ~EXPERT.unsqueeze(1)
    logps = new_policy(0).forward(batch).detach()
    assert means["term"].value == pytest.approx(-float(logps[mask].mean()), rel=1e-5)
    assert means["term/counted"].value == pytest.approx(int(mask.sum()) / sum(LENGTHS))


def test_a_scale_is_held_constant(result, batch, new_policy):
    """DFT is -sg(p) log p, CHORD-phi -sg(p (1 - p)) log p: both are objectives of their own."""
    for scale, objective in (("p", "dft"), ("p * (1 - p)", "chord_phi")):
        ours, means = result([term(scale=scale)])
        theirs, other = result([replace(term(), objective=objectives[objective].definition)])
        assert (ours - theirs).norm() < 1e-6 * theirs.norm()
        assert means["term"].value == pytest.approx(other["term"].value, rel=1e-6)
    p = new_policy(0).forward(batch).detach().exp()[batch.loss_mask]
    assert means["term/scale"].value == pytest.approx(float((p * (1 - p)).mean()), rel=1e-5)


def test_a_scale_may_name_facts_of_rows_and_schedules(result):
    half, _ = result([term(scale="0.5 * gate", values={"gate": 2.0})])
    assert torch.equal(half, result([term()])[0])
    by_row, _ = result([term(scale="right_share")])
    rows = [term(str(share), f"right_share == {share}", over="source") for share in (0.25, 1.0)]
    parts = 0.25 * result([rows[0]])[0] + result([rows[1]])[0]
    assert (by_row - parts).norm() < 1e-5 * parts.norm()


def test_a_scale_that_is_infinite_where_nothing_counts_harms_nothing(result):
    """GARL's amplification is the share of right rollouts to a power below 0: some shares are 0."""
    gradient, means = result([term(rows="right_share > 0", scale="right_share ** -1")])
    rows = [term(str(share), f"right_share == {share}", over="source") for share in (0.25, 1.0)]
    count = sum(LENGTHS) / sum(
        length for length, share in zip(LENGTHS, SHARE, strict=True) if share
    )
    parts = count * (4 * result([rows[0]])[0] + result([rows[1]])[0])
    assert (gradient - parts).norm() < 1e-5 * parts.norm()
    assert means["term"].value < float("inf")


@pytest.mark.parametrize("size", [1, 3, 99])
@pytest.mark.parametrize("over", ["rows", "source"])
@pytest.mark.parametrize("reduction", ["token", "sequence", "constant"])
def test_the_micro_batches_change_nothing(result, size, over, reduction):
    conditions = {"rows": "right_share < 1", "tokens": "position < 4", "scale": "(1 - p) ** 0.5"}
    terms = [term(**conditions, over=over, reduction=reduction)]
    expected, means = result(terms)
    gradient, others = result(terms, size)
    assert (gradient - expected).norm() < 1e-5 * expected.norm()
    assert {n: m.value for n, m in others.items()} == pytest.approx(
        {n: m.value for n, m in means.items()}, rel=1e-4
    )


@pytest.mark.parametrize("over", ["rows", "source"])
def test_a_term_that_counts_nothing_has_no_gradient(result, over):
    gradient, means = result([term(rows="right_share > 1", over=over)])
    assert gradient.norm() == 0
    assert means["term"].value == means["term/counted"].value == 0


def test_a_fact_of_the_wrong_shape_is_refused(batch):
    with pytest.raises(ValueError, match="known"):
        replace(batch, known={"expert": EXPERT[:2]})


def test_facts_go_with_their_rows(batch):
    some = batch.take(torch.tensor([3, 0]))
    assert some.known["expert"].tolist() == [False, True]
    assert some.known["position"].shape == some.loss_mask.shape


def test_a_probability_that_rounding_puts_above_1_is_1(batch):
    focal = term(scale="(1 - p) ** 0.5")
    mean, logged = focal.loss(torch.full(batch.loss_mask.shape, 1e-6), batch)
    assert mean.total == 0
    assert logged["scale"].value == 0
