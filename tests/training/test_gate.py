"""A gate between imitation and reinforcement, over every group that could be sampled.

The truth is autograd through exact expectations: an update's gate is a constant of its group, so
the expected update is the sum over groups of their probability times their own gradient.
"""

import pytest
import torch
from enumeration import (
    RESPONSES,
    REWARD,
    Listable,
    close,
    expectation,
    expected_update,
    reward,
    rollouts_of,
    slope,
    source_of,
    worth,
)

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.tensors import TokenBatch

SAMPLES = 2
# A right answer that is cut off at the longest, and one that the verifier refuses.
RIGHT, WRONG = (1, 2, 2), (1, 1, 2)


@pytest.fixture
def policy():
    return Listable(0)


def terms_of(method, *overrides):
    common = ["training.steps=1", "sampling.max_new_tokens=1"]
    made = plan(load_config(None, [*common, *overrides], method))
    return made.active(0), made.weights(0)


def hpt(gate, *overrides):
    """HPT without its entropy term; its rollouts summed over tokens, divided by the rows."""
    summed = "terms.explore.reduction={kind: constant, length: 1}"
    return terms_of("hpt", f"schedules.gate={gate}", "terms.entropy=null", summed, *overrides)


def expected(policy, terms, weights, expert=RIGHT, rule="centred"):
    source = source_of(reward(rule, worth(REWARD)), "verifier")
    return expected_update(policy, source, terms, weights, SAMPLES, expert=expert)


def test_a_response_here_is_right_or_wrong():
    assert {REWARD[RIGHT], REWARD[WRONG]} == {1.0, 0.0}
    assert RIGHT in RESPONSES and WRONG in RESPONSES


@pytest.mark.parametrize("c", [1.0, 0.3])
@pytest.mark.parametrize("gate", [0, 0.5])
def test_hpt_s_expected_update_is_p_of_the_gate_times_sft_and_the_rest_grpo(policy, gate, c):
    """In closed form, rho being the probability of a right answer, with groups of n = 2.

    Below the gate, SFT: P(k <= gate n) grad -log p(teacher) / tokens. Above it, reinforcement. At
    gate 0 what is left out is worth nothing, so that is all of (n - 1) grad rho, over n + 1 rows;
    at 1/2 only groups of two right answers are above, and their advantages are 0.
    """
    rho = expectation(policy, REWARD.get)
    share = {0: (1 - rho) ** SAMPLES, 0.5: 1 - rho**SAMPLES}[gate].detach()
    imitation = slope(policy, -policy.logp(RIGHT) / len(RIGHT))
    explored = slope(policy, expectation(policy, REWARD.get)) * (SAMPLES - 1) / (SAMPLES + 1)
    truth = c * share * imitation - (explored if gate == 0 else 0)
    assert close(expected(policy, *hpt(gate, f"schedules.c={c}")), truth)


def test_a_demonstration_that_must_be_right_is_not_learnt_if_it_is_wrong(policy):
    guard = "terms.imitate.rows='expert and right and right_share <= gate'"
    explored = slope(policy, expectation(policy, REWARD.get)) * (SAMPLES - 1) / (SAMPLES + 1)
    assert close(expected(policy, *hpt(0, guard), expert=WRONG), -explored)
    assert not close(expected(policy, *hpt(0), expert=WRONG), -explored)


def updates(policy, terms, weights, batch):
    policy.logits.grad = None
    from accumulating import accumulated_means

    accumulated_means(policy, terms, weights, {terms[0].source: batch}, 2)
    return policy.logits.grad


def batches(policy):
    """Yield groups with the teacher's row, their rollouts alone, and that row alone."""
    source = source_of(reward("centred", worth(REWARD)), "verifier")
    facts = ("expert", "right", "right_share")
    for ids in ([(2, 0), (1, 0)], [(0,), (1, 1, 1)], [(2, 2, 2), (2, 0)]):
        rollouts = rollouts_of(policy, ids)
        own = rollouts_of(policy, [RIGHT])[0]
        teacher = type(own)(own.example, own.prompt_ids, own.completion, 0, len(RIGHT), apart=True)
        whole = [*rollouts, teacher]
        both = source.collate(whole, {"verifier": source.rewards["verifier"].compute(whole)}, facts)
        yield both, both.take(torch.tensor([0, 1])), both.take(torch.tensor([2]))


def test_a_gate_of_1_is_sft_and_one_below_0_is_grpo_to_the_bit(policy):
    sft = terms_of("sft")
    for both, rollouts, teacher in batches(policy):
        assert isinstance(both, TokenBatch)
        as_sft = updates(policy, *sft, teacher)
        assert as_sft.norm() > 0
        assert torch.equal(updates(policy, *terms_of(*hpt_as("schedules.gate=1")), both), as_sft)
        below = terms_of(*hpt_as("schedules.gate=-1"))
        plain = terms_of(
            "grpo",
            "terms.kl=null",
            "rewards.verifier.advantage=centred",
            "terms.preference.objective.clip_low=null",
            "terms.preference.objective.clip_high=null",
        )
        assert torch.equal(updates(policy, *below, both), updates(policy, *plain, rollouts))


def hpt_as(*overrides):
    return "hpt", "terms.entropy=null", *overrides
