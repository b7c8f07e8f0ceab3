"""Health checks of the updates.

"axolotl's guide" is the table of healthy ranges in that project's docs/training_stability.qmd.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from uniapl_cli.monitoring.check import LASTING, StepRecord, health_checks

# Nats a token. axolotl's guide: healthy up to 0.5, too far from the reference above 2.
KL_FAR = 2.0
# Below that, KL_JUMP times what was usual before, but no less than KL_FLOOR: KL starts at 0, so it
# grows by large factors while it is still negligible.
KL_JUMP, KL_FLOOR, KL_BEFORE = 5.0, 0.5, 20


@health_checks.register("kl")
def kl_runs_away(step: StepRecord) -> Mapping[str, str]:
    """A policy that leaves the reference faster than its rewards justify."""
    warnings = {}
    for term in step.run.kl_terms:
        name = f"{term}/kl"
        usual = step.history.usual(name, LASTING, KL_BEFORE)
        limit = KL_FAR if usual is None else min(KL_FAR, max(KL_FLOOR, KL_JUMP * usual))
        if name in step.metrics and step.history.above(name, limit, LASTING):
            warnings[term] = (
                f"KL to the reference ('{name}') is {step.metrics[name]:.3g} nats a token and was "
                f"above {limit:.3g} for {LASTING} steps: the policy is leaving the model it "
                "started from, often to please the reward with text nobody wants. Read "
                f"samples.jsonl; try a lower optim.lr, or a larger terms.{term}.weight"
            )
    return warnings


# NLL_RISE times the first step's loss, and at least NLL_MORE nats above it. Only the first step's
# loss is from before any training; batches of a few rows differ by less than this.
NLL_RISE, NLL_MORE, NLL_STEPS = 2.0, 0.5, 5


@health_checks.register("nll")
def demonstrations_unlearnt(step: StepRecord) -> Mapping[str, str]:
    """Demonstrations that are less likely than before any training on them."""
    warnings = {}
    for term in step.run.nll_terms:
        first = step.history.first(term)
        if term not in step.metrics or first is None:
            continue
        if step.history.above(term, max(NLL_RISE * first, first + NLL_MORE), NLL_STEPS):
            warnings[term] = (
                f"'{term}' is {step.metrics[term]:.3g} nats a token, {first:.3g} at its first "
                f"step, and was far above that for {NLL_STEPS} steps: the model unlearns. Most "
                "often the learning rate is too high. Try a tenth of optim.lr, or a longer "
                f"warm-up ({step.run.warm_up})"
            )
    return warnings


# Mean |log ratio| a token. axolotl's guide: below 0.1 is healthy, above 1 another policy sampled.
GAP, GAP_BETWEEN_UPDATES = 0.1, 1.0


@health_checks.register("sampler_gap")
def sampler_disagrees(step: StepRecord) -> Mapping[str, str]:
    """A sampler whose log-probabilities are not those of the trained model.

    At the first update on new rollouts the two are one model, and of corrected terms only that one
    is looked at.
    """
    warnings = {}
    for term, name in step.named("sampler_gap"):
        first = step.run.num_iterations == 1 or term in step.run.corrected
        if step.history.above(name, GAP if first else GAP_BETWEEN_UPDATES, LASTING):
            warnings[term] = (
                f"the log-probabilities of '{term}' differ by {step.metrics[name]:.3g} a token "
                "from those of the sampler: the rollouts are of another policy than the one that "
                "is trained. Look for a generator with other or older weights, another "
                "temperature or precision, or attention that is not the model's own"
                + _but_corrected(step, term)
                + (f". Try {', '.join(step.run.sampler)}" if step.run.sampler else "")
            )
    return warnings


def _but_corrected(step: StepRecord, term: str) -> str:
    key = step.run.corrected.get(term, "").partition("=")[0]
    return f"; {key} weighs them for it, which is for small differences" if key else ""


# Of weights whose logarithm is normal, exp(-variance) is effective: half at a deviation of 0.83.
EFFECTIVE_SHARE = 0.5


@health_checks.register("effective_sample_size")
def few_rollouts_weigh(step: StepRecord) -> Mapping[str, str]:
    """Corrections by which a few tokens or responses outweigh the others."""
    warnings = {}
    for term, name in step.named("effective_sample_size"):
        key, _, kind = step.run.corrected.get(term, "").partition("=")
        if not key or not step.history.below(name, EFFECTIVE_SHARE, LASTING):
            continue
        settings = [*([] if kind == "token" else [f"{key}=token"]), *step.run.sampler]
        warnings[term] = (
            f"{key} leaves {step.metrics[name]:.0%} of the sample of '{term}' effective: a few "
            "tokens or responses outweigh the others, and what a cap takes from them is a bias"
            + (f". Try {', '.join(settings)}" if settings else "")
        )
    return warnings


# axolotl's guide: below 0.1 is healthy, above 0.3 too much is clipped.
CLIPPED_SHARE = 0.3


@health_checks.register("clipped")
def mostly_clipped(step: StepRecord) -> Mapping[str, str]:
    """Clipped tokens, which have no gradient."""
    return {
        term: (
            f"{step.metrics[name]:.0%} of the tokens of '{term}' are clipped and teach nothing: "
            "the policy moved too far from the one that sampled them. Try a lower optim.lr, "
            + ("fewer training.num_iterations, " if step.run.num_iterations > 1 else "")
            + f"or a wider terms.{term}.objective.clip_high"
        )
        for term, name in step.named("clip_ratio")
        if step.history.above(name, CLIPPED_SHARE, LASTING)
    }


# A norm of NORM_EXCESS times the limit at each of NORM_STEPS steps: the limit, not the loss, then
# sets the size of the updates. axolotl's guide: above 10 is unstable, where the limit is 1.
NORM_EXCESS, NORM_STEPS = 10.0, 50


@health_checks.register("always_clipped")
def gradient_always_clipped(step: StepRecord) -> Mapping[str, str]:
    """Gradients clipped at every step, which hides how large they are."""
    limit = step.run.max_grad_norm
    if not step.history.above("grad_norm", limit, NORM_STEPS):
        return {}
    usual = median(step.history.newest("grad_norm", NORM_STEPS))
    if usual <= NORM_EXCESS * limit:
        return {}
    return {
        "grad_norm": (
            f"the gradient was clipped at each of {NORM_STEPS} steps: its norm is {usual:.3g} in "
            f"the median, and training.max_grad_norm {limit:g}. Either the loss is on a steep "
            "slope, or the limit is too tight for these terms' weights. Try a lower optim.lr, "
            f"a warm-up ({step.run.warm_up}), or training.max_grad_norm={usual:.2g}"
        )
    }


# Times the median norm of the SPIKE_BEFORE steps before.
SPIKE, SPIKE_BEFORE = 10.0, 20


@health_checks.register("spike")
def gradient_spikes(step: StepRecord) -> Mapping[str, str]:
    """One batch whose gradient is far larger than the others'."""
    norm, limit = step.metrics["grad_norm"], step.run.max_grad_norm
    usual = step.history.usual("grad_norm", 1, SPIKE_BEFORE)
    if usual is None or norm <= max(SPIKE * usual, limit):
        return {}
    return {
        "grad_norm": (
            f"the gradient's norm is {norm:.3g}, and {usual:.3g} is usual. It was scaled down to "
            f"{limit:g}, so one such step does little harm. If they come back, look for a broken "
            "row in the data, lower optim.lr or training.max_grad_norm"
        )
    }
