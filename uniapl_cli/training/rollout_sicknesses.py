"""What goes wrong with the rollouts, and how it shows in a run's metrics.

"axolotl's guide" is the table of healthy ranges in that project's docs/training_stability.qmd.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from uniapl_cli.training.sickness import LASTING, Seen, sicknesses

# axolotl's guide: below 0.8 is healthy. With few prompts a step, chance alone makes all groups
# equal now and then: it takes more steps to be sure.
EQUAL_SHARE, EQUAL_STEPS = 0.8, 8


@sicknesses.register("equal_rewards")
def equal_rewards(seen: Seen) -> Mapping[str, str]:
    """Nothing can be learnt from a group whose rollouts are all worth the same."""
    found = {}
    for name, share in seen.metrics.items():
        source, _, rest = name.partition("/")
        reward, _, last = rest.rpartition("/")
        if last != "equal_groups" or reward not in seen.facts.contrasting:
            continue
        if seen.history.above(name, EQUAL_SHARE, EQUAL_STEPS):
            mean = seen.metrics[f"{source}/{reward}/mean"]
            found[name] = (
                f"for {EQUAL_STEPS} steps the reward '{reward}' was the same for all rollouts of a "
                f"prompt, now in {share:.0%} of the groups (mean reward {mean:.3g}); they teach "
                "nothing. The prompts are too hard for the policy, or too easy, or its responses "
                "are all alike. Try other prompts (data.prompts), a larger "
                f"sources.{source}.num_generations, rewards.{reward}.zero_variance=resample"
            )
    return found


# Above this most responses have no end. axolotl's guide: below 0.3 is healthy.
TRUNCATED_SHARE = 0.5


@sicknesses.register("truncated")
def truncated(seen: Seen) -> Mapping[str, str]:
    """Rewards of responses without an end say little, and stopping is never rewarded."""
    longest = seen.facts.max_new_tokens
    return {
        about: (
            f"{seen.metrics[name]:.0%} of {about} were cut off at {longest} tokens; such a "
            "response has no end to be rewarded for. Either they need more room, or the policy "
            f"does not know how to stop. Try sampling.max_new_tokens={2 * longest}, or start from "
            "a model that was fine-tuned to stop (uniapl train sft)"
        )
        for about, name in seen.ending("truncated")
        if seen.history.above(name, TRUNCATED_SHARE, LASTING)
    }


# Times the start's length, and the share of it: what no batch's chance explains.
LONGER, SHORTER = 3.0, 1 / 3
LENGTH_STEPS = 5


@sicknesses.register("length")
def length_runs_away(seen: Seen) -> Mapping[str, str]:
    """Responses grow or shrink without end, because that is what is rewarded."""
    found = {}
    # With an imitation term the policy is on its way to the demonstrations' length.
    goal = seen.metrics.get("demonstrations/length")
    for about, cut in seen.ending("truncated"):
        name = f"{about}/length"
        start, values = seen.history.start(name), seen.history.newest(name, LENGTH_STEPS)
        if start is None:
            continue
        least, most = SHORTER * min(start, goal or start), LONGER * max(start, goal or start)
        # Where the policy had yet to learn how to stop, becoming shorter is the cure.
        rambled = (seen.history.start(cut) or 0) > TRUNCATED_SHARE
        figures = f"{about} are {median(values):.0f} tokens long, {start:.0f} at the start"
        if median(values) > most:
            found[name] = (
                f"{figures}. The reward may favour length as such, or the policy forgets how to "
                "stop. Read samples.jsonl; try a lower optim.lr, a KL term, or the reward function "
                "`overlong`"
            )
        elif median(values) < least and not rambled:
            raw = set(seen.facts.surrogate_terms.values()) - set(seen.facts.contrasting)
            tries = "".join(f"rewards.{reward}.advantage=centred, " for reward in sorted(raw))
            found[name] = (
                f"{figures}. Usually a reward without a baseline punishes every token, or an empty "
                f"response passes. Read samples.jsonl; try {tries}a lower optim.lr, a KL term"
            )
    return found


# Nats a token. axolotl's guide: 0.05 to 0.5 is healthy, below 0.01 is collapse, above 1 does not
# converge. Models differ in where they start, so the start counts too.
ENTROPY_LOW, ENTROPY_FALL = 0.01, 0.1
ENTROPY_HIGH, ENTROPY_RISE = 1.0, 3.0
ENTROPY_STEPS = 5


@sicknesses.register("entropy")
def entropy_leaves(seen: Seen) -> Mapping[str, str]:
    """All rollouts become one, or become noise."""
    found = {}
    for about, name in seen.ending("entropy"):
        start, now = seen.history.start(name), seen.metrics[name]
        if start is None:
            continue
        low = max(ENTROPY_LOW, ENTROPY_FALL * start)
        high = max(ENTROPY_HIGH, ENTROPY_RISE * start)
        figures = f"the entropy of {about} is {now:.3g} nats a token, {start:.3g} at the start"
        if seen.history.below(name, low, ENTROPY_STEPS):
            found[name] = (
                f"{figures}: the policy writes nearly the same response each time, and has nothing "
                "left to compare. Try a lower optim.lr, sampling.temperature=1, a KL term"
            )
        if seen.history.above(name, high, ENTROPY_STEPS):
            found[name] = (
                f"{figures}: the policy is becoming noise. Most often the learning rate is too "
                "high. Try a lower optim.lr, a KL term, or an imitation term"
            )
    return found
