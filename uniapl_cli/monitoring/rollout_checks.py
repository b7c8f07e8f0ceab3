"""Health checks of the rollouts.

"axolotl's guide" is the table of healthy ranges in that project's docs/training_stability.qmd.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from uniapl_cli.monitoring.check import LASTING, StepRecord, health_checks

# axolotl's guide: below 0.8 is healthy. With few prompts a step, all groups are equal by chance now
# and then, so the check looks at more steps.
EQUAL_SHARE, EQUAL_STEPS = 0.8, 8


@health_checks.register("equal_rewards")
def equal_rewards(step: StepRecord) -> Mapping[str, str]:
    """Groups whose rollouts all earn the same, from which nothing can be learnt."""
    warnings = {}
    for name, share in step.metrics.items():
        source, _, rest = name.partition("/")
        reward, _, last = rest.rpartition("/")
        if last != "frac_reward_zero_std" or reward not in step.run.contrasting:
            continue
        if step.history.above(name, EQUAL_SHARE, EQUAL_STEPS):
            mean = step.metrics[f"{source}/{reward}/mean"]
            prompts = step.run.prompts_of.get(source, "data.prompts")
            resample = f", rewards.{reward}.zero_variance=resample"
            warnings[name] = (
                f"for {EQUAL_STEPS} steps the reward '{reward}' was the same for all rollouts of a "
                f"prompt, now in {share:.0%} of the groups (mean reward {mean:.3g}); they teach "
                "nothing. The prompts are too hard for the policy, or too easy, or its responses "
                f"are all alike. Try other prompts ({prompts}), a larger "
                f"sources.{source}.num_generations"
                + (resample if source in step.run.resampling else "")
            )
    return warnings


# Above this, most responses have no end. axolotl's guide: below 0.3 is healthy.
TRUNCATED_SHARE = 0.5


@health_checks.register("truncated")
def truncated(step: StepRecord) -> Mapping[str, str]:
    """Responses cut off at the limit: their rewards say little, and stopping is never rewarded."""
    longest = step.run.max_new_tokens
    return {
        source: (
            f"{step.metrics[name]:.0%} of {source} were cut off at {longest} tokens; such a "
            "response has no end to be rewarded for. Either they need more room, or the policy "
            f"does not know how to stop. Try sampling.max_new_tokens={2 * longest}, or start from "
            "a model that was fine-tuned to stop (uniapl train sft)"
        )
        for source, name in step.named("completions/clipped_ratio")
        if step.history.above(name, TRUNCATED_SHARE, LASTING)
    }


# Multiples of the length at the start beyond which it is no longer the chance of a batch.
LONGER, SHORTER = 3.0, 1 / 3
LENGTH_STEPS = 5


@health_checks.register("length")
def length_runs_away(step: StepRecord) -> Mapping[str, str]:
    """Responses that grow or shrink without end, because length is what is rewarded."""
    warnings = {}
    # With an imitation term the policy is on its way to the demonstrations' length.
    goal = step.metrics.get("demonstrations/completions/mean_length")
    for source, clipped_ratio in step.named("completions/clipped_ratio"):
        name = f"{source}/completions/mean_length"
        start, values = step.history.start(name), step.history.newest(name, LENGTH_STEPS)
        if start is None:
            continue
        least, most = SHORTER * min(start, goal or start), LONGER * max(start, goal or start)
        # A policy that had not learnt to stop becomes shorter because it learns.
        rambled = (step.history.start(clipped_ratio) or 0) > TRUNCATED_SHARE
        figures = f"{source} are {median(values):.0f} tokens long, {start:.0f} at the start"
        if median(values) > most:
            warnings[name] = (
                f"{figures}. The reward may favour length as such, or the policy forgets how to "
                "stop. Read samples.jsonl; try a lower optim.lr, a KL term, or the reward function "
                "`overlong`"
            )
        elif median(values) < least and not rambled:
            raw = set(step.run.surrogate_terms.values()) - set(step.run.contrasting)
            tries = "".join(f"rewards.{reward}.advantage=centred, " for reward in sorted(raw))
            warnings[name] = (
                f"{figures}. Usually a reward without a baseline punishes every token, or an empty "
                f"response passes. Read samples.jsonl; try {tries}a lower optim.lr, a KL term"
            )
    return warnings


# Nats a token. axolotl's guide: 0.05 to 0.5 is healthy, below 0.01 is collapse, above 1 does not
# converge. Models differ in where they start, so the start counts too.
ENTROPY_LOW, ENTROPY_FALL = 0.01, 0.1
ENTROPY_HIGH, ENTROPY_RISE = 1.0, 3.0
ENTROPY_STEPS = 5


@health_checks.register("entropy")
def entropy_leaves(step: StepRecord) -> Mapping[str, str]:
    """Rollouts that are nearly all the same, or noise."""
    warnings = {}
    for source, name in step.named("entropy"):
        start, now = step.history.start(name), step.metrics[name]
        if start is None:
            continue
        sharper = "" if step.run.temperature == 1 else "sampling.temperature=1, "
        low = max(ENTROPY_LOW, ENTROPY_FALL * start)
        high = max(ENTROPY_HIGH, ENTROPY_RISE * start)
        figures = f"the entropy of {source} is {now:.3g} nats a token, {start:.3g} at the start"
        if step.history.below(name, low, ENTROPY_STEPS):
            warnings[name] = (
                f"{figures}: the policy writes nearly the same response each time, and has nothing "
                f"left to compare. Try a lower optim.lr, {sharper}a KL term"
            )
        if step.history.above(name, high, ENTROPY_STEPS):
            warnings[name] = (
                f"{figures}: the policy is becoming noise. Most often the learning rate is too "
                "high. Try a lower optim.lr, a KL term, or an imitation term"
            )
    return warnings
