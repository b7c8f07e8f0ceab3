"""A reward function."""

from collections.abc import Sequence

from uniapl_cli import Rollout, register_reward_function


@register_reward_function("vowels")
def vowels(rollouts: Sequence[Rollout], *, letters: str = "aeiou") -> list[float]:
    """The share of a response's characters that are vowels."""
    texts = [rollout.completion.text for rollout in rollouts]
    return [sum(c in letters for c in text) / max(len(text), 1) for text in texts]
