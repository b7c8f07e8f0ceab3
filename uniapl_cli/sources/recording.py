"""What is recorded of a step's rollouts: metrics, and rows for samples.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from uniapl_cli.rewards.groups import equal_within_group, groups_of
from uniapl_cli.rewards.reward import RolloutRewards
from uniapl_cli.types import Rollout


def rollout_metrics(
    rollouts: Sequence[Rollout], rewards: Mapping[str, RolloutRewards]
) -> dict[str, float]:
    """Return the metrics of a step's rollouts, under TRL's names.

    completions/clipped_ratio: the share cut off at sampling.max_new_tokens. entropy: the mean of
    -log p of the sampled tokens at the sampling temperature, in nats a token.
    REWARD/frac_reward_zero_std: the share of prompts whose rollouts all earn the same.
    """
    lengths = [len(r.completion.token_ids) for r in rollouts]
    logps = [logp for r in rollouts for logp in r.completion.logps]
    metrics = {
        "completions/mean_length": fmean(lengths),
        "completions/max_length": float(max(lengths)),
        "completions/clipped_ratio": fmean(
            r.completion.finish_reason == "length" for r in rollouts
        ),
        "entropy": -fmean(logps),
    }
    groups = groups_of(rollouts)
    for name, result in rewards.items():
        metrics[f"{name}/mean"] = float(result.rewards.mean())
        metrics[f"{name}/std"] = float(result.rewards.std(correction=0))
        equal = groups[equal_within_group(result.rewards, groups)]
        metrics[f"{name}/frac_reward_zero_std"] = len(equal.unique()) / len(groups.unique())
        for function, numbers in result.functions.items():
            metrics[f"{name}/{function}"] = fmean(numbers)
            metrics[f"{name}/{function}_std"] = pstdev(numbers)
    return metrics


def sample_rows(
    rollouts: Sequence[Rollout], rewards: Mapping[str, RolloutRewards]
) -> list[dict[str, Any]]:
    """Return the rollouts as rows for samples.jsonl."""
    return [
        {
            "id": rollout.example.id,
            "prompt": rollout.example.prompt_text,
            "response": rollout.completion.text,
            "finish_reason": rollout.completion.finish_reason,
            "tokens": len(rollout.completion.token_ids),
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
