import math
from dataclasses import replace

import pytest
import torch
from objective_cases import bound, choice_batch, labelled_batch


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def rewarded(batch, gains):
    """Return log-probabilities whose sum over row i is `gains[i]` above the reference's."""
    mask = batch.answers.loss_mask
    each = torch.tensor(gains, dtype=torch.float64) / mask.sum(1).clamp(min=1)
    return (batch.answers.ref_logps + each.unsqueeze(1) * mask).requires_grad_()


def test_dpo_is_minus_log_sigmoid_of_the_rewards_difference():
    batch = choice_batch([3])
    result = bound("dpo", beta=0.5)(rewarded(batch, [2.0, -1.0]), batch)
    assert result.per_token.item() == pytest.approx(-math.log(sigmoid(1.5)))
    metrics = {name: value.item() for name, value in result.metrics.items()}
    assert metrics == pytest.approx(
        {"accuracy": 1, "margin": 1.5, "reward_chosen": 1.0, "reward_rejected": -0.5}
    )


def test_dpo_of_the_reference_itself_costs_the_logarithm_of_two():
    batch = choice_batch([3, 1])
    assert bound("dpo")(batch.answers.ref_logps, batch).per_token.flatten().tolist() == (
        pytest.approx([math.log(2)] * 2)
    )


def test_dpo_raises_the_chosen_answer_as_much_as_it_lowers_the_rejected():
    batch = choice_batch([3])
    logps = rewarded(batch, [0.7, 0.2])
    bound("dpo", beta=0.1)(logps, batch).per_token.sum().backward()
    slope = 0.1 * sigmoid(-0.05)
    assert logps.grad[0][batch.answers.loss_mask[0]].tolist() == pytest.approx([-slope] * 3)
    assert logps.grad[1][batch.answers.loss_mask[1]].tolist() == pytest.approx([slope] * 3)


def test_smoothed_labels_are_wrong_now_and_then():
    batch = choice_batch([3])
    logps = rewarded(batch, [2.0, -1.0])
    plain, smoothed = (
        bound("dpo", beta=0.5, label_smoothing=e)(logps, batch).per_token.item() for e in (0.0, 0.2)
    )
    assert smoothed == pytest.approx(0.8 * plain - 0.2 * math.log(sigmoid(-1.5)))


def test_cpo_is_dypos_contrast_of_summed_log_probabilities():
    """The golden value is that of two pairs whose log-probabilities differ by 1.5 and by -0.4."""
    batch = choice_batch([3, 2])
    mask = batch.answers.loss_mask
    sums = torch.tensor([-2.0, -3.0, -3.5, -2.6], dtype=torch.float64)
    each = sums / mask.sum(1)
    logps = (each.unsqueeze(1) * mask).requires_grad_()
    loss = bound("cpo", beta=0.1)(logps, batch).per_token
    assert loss.mean().item() == pytest.approx(0.667152107509, abs=1e-11)
    loss.mean().backward()
    slopes = [logps.grad[row][mask[row]][0].item() for row in range(4)]
    golden = (-0.0231285077328, -0.025499933344)
    assert slopes == pytest.approx([*golden, *(-slope for slope in golden)], abs=1e-11)


def test_cpo_by_length_takes_means_and_asks_for_a_margin():
    batch = choice_batch([4])
    logps = torch.where(batch.answers.loss_mask, -0.5, 0.0).double()
    logps[1] *= 3
    loss = bound("cpo", beta=2.0, by_length=True, gamma=0.7)(logps, batch).per_token
    assert loss.item() == pytest.approx(-math.log(sigmoid(2.0 * (-0.5 + 1.5) - 0.7)))


def test_cpo_is_dpo_with_a_reference_that_finds_all_alike():
    batch = choice_batch([3, 1])
    even = replace(batch.answers, ref_logps=torch.zeros_like(batch.answers.ref_logps))
    logps = batch.answers.ref_logps
    ours, theirs = (bound(n, beta=0.3)(logps, type(batch)(even)).per_token for n in ("cpo", "dpo"))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("desirable", "sign"), [(True, 1), (False, -1)])
def test_kto_holds_an_answers_reward_against_the_baseline(desirable, sign):
    batch = labelled_batch([3])
    batch = replace(batch, desirable=torch.tensor([desirable]))
    result = bound("kto", beta=0.5, desirable_weight=2.0)(rewarded(batch, [1.5]), batch)
    weight = 2.0 if desirable else 1.0
    assert result.per_token.item() == pytest.approx(weight * sigmoid(-sign * 0.5 * (1.5 - 0.3)))
    assert result.metrics["reward"].item() == pytest.approx(0.75)


def test_kto_does_not_go_back_through_the_baseline():
    batch = labelled_batch([3, 2])
    assert not batch.baseline.requires_grad
    logps = rewarded(batch, [1.5, -1.0])
    bound("kto")(logps, batch).per_token.sum().backward()
    assert logps.grad[batch.answers.loss_mask].all()
