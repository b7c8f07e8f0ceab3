"""What is known of rollouts once they are drawn and judged."""

import pytest
import torch
from rollout_cases import completion, example

from uniapl_cli.facts import facts, named
from uniapl_cli.rewards.reward import RolloutRewards
from uniapl_cli.sources.known import known_of, needs_judging
from uniapl_cli.types import Rollout

# Two prompts: the teacher's answer and three rollouts, of which the second begins with its tokens;
# and two rollouts, one of which was cut off.
TOKENS = [3, 1, 4, 2, 2, 4]
GIVEN = [3, 0, 2, 0, 0, 0]
GROUPS = [0, 0, 0, 0, 1, 1]
REWARDS = [1.0, 0.0, 1.0, 0.5, 0.0, 0.0]


@pytest.fixture
def known():
    finish = ["stop"] * 5 + ["length"]
    rollouts = [
        Rollout(example(), (1, 2), completion(tokens=range(5, 5 + n), finish=end), group, given)
        for n, given, group, end in zip(TOKENS, GIVEN, GROUPS, finish, strict=True)
    ]
    rewards = torch.tensor(REWARDS)
    judged = RolloutRewards(rewards, rewards, {}, ())
    mask = torch.arange(6) - 1 < torch.tensor(TOKENS).unsqueeze(1)
    mask[:, 0] = False  # a prompt of two tokens
    return known_of(rollouts, named(when="drawn"), judged, mask)


def test_facts_of_rows(known):
    rows = {name: value.tolist() for name, value in known.items() if value.dim() == 1}
    assert rows == {
        "expert": [True, False, False, False, False, False],
        "right": [True, False, True, False, False, False],
        "another_right": [True] * 4 + [False, False],
        # Of the policy's own three rollouts one is right; the teacher's answer does not count.
        "right_share": pytest.approx([1 / 3] * 4 + [0, 0]),
        "all_equal": [False] * 4 + [True, True],
        "reward": REWARDS,
        "truncated": [False] * 5 + [True],
        "length": [3.0, 1, 4, 2, 2, 4],
    }


def test_facts_of_tokens(known):
    assert known["given"].int().tolist() == [
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0] * 6,
        [0] * 6,
        [0] * 6,
    ]
    assert known["position"][2].tolist() == [0, 0, 1, 2, 3, 0]


def test_only_what_is_named_is_made(known):
    assert set(known) == set(named(when="drawn"))
    assert known_of([], ["p", "entropy_rank"], None, torch.zeros(0, 1, dtype=torch.bool)) == {}
    assert needs_judging(["expert", "right"]) and not needs_judging(["expert", "given"])


def test_every_fact_says_what_it_is():
    for name in facts:
        traits = facts[name].traits
        assert traits["kind"] in ("number", "truth")
        assert traits["level"] in ("row", "token")
        assert traits["when"] in ("drawn", "start", "pass")
        assert facts[name].summary
