"""What is recorded of a step's rollouts: metrics, and rows for samples.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

import torch

from uniapl_cli.rewards.groups import baseline_of, equal_within_group, groups_of
from uniapl_cli.rewards.reward import RolloutRewards
from uniapl_cli.sources.known import RIGHT
from uniapl_cli.types import Rollout


def rollout_metrics(
    rollouts: Sequence[Rollout], rewards: Mapping[str, RolloutRewards], judged_by: str
) -> dict[str, float]:
    """Return the metrics of a step's rollouts, under TRL's names; the teacher's rows are apart.

    completions/clipped_ratio: the share cut off at sampling.max_new_tokens. entropy: the mean of
    -log p of the sampled tokens at the sampling temperature, in nats a token.
    REWARD/frac_reward_zero_std: the share of prompts whose rows in the baseline all earn the same.
    """
    own = [index for index, rollout in enumerate(rollouts) if not rollout.expert]
    sampled = [rollouts[index] for index in own]
    lengths = [r.completion.length for r in sampled]
    logps = [logp for r in sampled for logp in r.completion.own(r.completion.logps)[r.given :]]
    metrics = {
        "completions/mean_length": fmean(lengths),
        "completions/max_length": float(max(lengths)),
        "completions/clipped_ratio": fmean(r.completion.finish_reason == "length" for r in sampled),
        "entropy": -fmean(logps),
    }
    groups, baseline = groups_of(rollouts), baseline_of(rollouts)
    for name, result in rewards.items():
        earned = result.rewards[torch.tensor(own)]
        metrics[f"{name}/mean"] = float(earned.mean())
        metrics[f"{name}/std"] = float(earned.std(correction=0))
        equal = groups[equal_within_group(result.rewards, groups, baseline)]
        metrics[f"{name}/frac_reward_zero_std"] = len(equal.unique()) / len(groups.unique())
        for function, values in result.functions.items():
            numbers = [values[index] for index in own]
            metrics[f"{name}/{function}"] = fmean(numbers)
            metrics[f"{name}/{function}_std"] = pstdev(numbers)
    guided = any(rollout.given for rollout in rollouts)
    return {**metrics, **(guided_metrics(rollouts, rewards, judged_by) if guided else {})}


def guided_metrics(
    rollouts: Sequence[Rollout], rewards: Mapping[str, RolloutRewards], judged_by: str
) -> dict[str, float]:
    """Return what is measured where rows, or their beginnings, are the teacher's.

    groups/all_wrong, groups/all_right: the share of prompts whose rollouts are all wrong, or right.
    groups/without_response: of those that have no response to give. expert/REWARD: what the
    teacher's rows earn, on average. given/share: the teacher's share of the tokens of rollouts that
    it has begun.
    """
    groups, teachers = groups_of(rollouts), torch.tensor([r.expert for r in rollouts])
    count = len(groups.unique())
    bare = torch.tensor([r.example.response is None for r in rollouts])
    metrics = {"groups/without_response": len(groups[bare].unique()) / count}
    if judged_by in rewards:
        right = rewards[judged_by].rewards >= RIGHT
        wrongs, rights = (groups[~teachers & one].unique() for one in (~right, right))
        metrics["groups/all_wrong"] = 1 - len(rights) / count
        metrics["groups/all_right"] = 1 - len(wrongs) / count
    if teachers.any():
        earned = {
            f"expert/{name}": float(r.rewards[teachers].mean()) for name, r in rewards.items()
        }
        metrics |= earned
    begun = [r for r in rollouts if r.given and not r.expert]
    if begun:
        tokens = sum(len(r.completion.token_ids) for r in begun)
        metrics["given/share"] = sum(r.given for r in begun) / tokens
    return metrics


def sample_rows(
    rollouts: Sequence[Rollout], rewards: Mapping[str, RolloutRewards]
) -> list[dict[str, Any]]:
    """Return the rollouts as rows for samples.jsonl.

    Those that begin with tokens of the teacher's say how many, and whether all are.
    """
    return [
        {
            "id": rollout.example.id,
            "prompt": rollout.example.prompt_text,
            "response": rollout.completion.text,
            "finish_reason": rollout.completion.finish_reason,
            "tokens": rollout.completion.length,
            **({"given": rollout.given, "expert": rollout.expert} if rollout.given else {}),
            **{name: float(result.rewards[index]) for name, result in rewards.items()},
            **{
                f"{name}/{function}": numbers[index]
                for name, result in rewards.items()
                for function, numbers in result.functions.items()
            },
            **{key: note for r in rewards.values() for key, note in r.notes[index].items()},
        }
        for index, rollout in enumerate(rollouts)
    ]
