"""What goes wrong with the updates, and how it shows in a run's metrics.

"axolotl's guide" is the table of healthy ranges in that project's docs/training_stability.qmd.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from uniapl_cli.training.sickness import LASTING, Seen, sicknesses

# Nats a token. axolotl's guide: healthy up to 0.5, too far from the reference above 2.
KL_FAR = 2.0
# Below that, this many times what was usual before, from this floor on: KL starts at 0, and so
# grows by large factors while it is still nothing.
KL_JUMP, KL_FLOOR, KL_BEFORE = 5.0, 0.5, 20


@sicknesses.register("kl")
def kl_runs_away(seen: Seen) -> Mapping[str, str]:
    """The policy leaves the reference faster than rewards justify."""
    found = {}
    for term in seen.facts.kl_terms:
        usual = seen.history.usual(term, LASTING, KL_BEFORE)
        limit = KL_FAR if usual is None else min(KL_FAR, max(KL_FLOOR, KL_JUMP * usual))
        if term in seen.metrics and seen.history.above(term, limit, LASTING):
            found[term] = (
                f"KL to the reference ('{term}') is {seen.metrics[term]:.3g} nats a token and was "
                f"above {limit:.3g} for {LASTING} steps: the policy is leaving the model it "
                "started from, often to please the reward with text nobody wants. Read "
                f"samples.jsonl; try a lower optim.lr, or a larger terms.{term}.weight"
            )
    return found


# Times the loss of the first step, and nats above it. The first step alone is what nothing was
# learnt before; a batch of a few rows varies by less.
NLL_RISE, NLL_MORE, NLL_STEPS = 2.0, 0.5, 5


@sicknesses.register("nll")
def demonstrations_unlearnt(seen: Seen) -> Mapping[str, str]:
    """Demonstrations become less likely than they were before any training on them."""
    found = {}
    for term in seen.facts.nll_terms:
        first = seen.history.first(term)
        if term not in seen.metrics or first is None:
            continue
        if seen.history.above(term, max(NLL_RISE * first, first + NLL_MORE), NLL_STEPS):
            found[term] = (
                f"'{term}' is {seen.metrics[term]:.3g} nats a token, {first:.3g} at the first step "
                f"of it, and was far above that for {NLL_STEPS} steps: the model unlearns. Most "
                "often the learning rate is too high. Try a tenth of optim.lr, or a longer "
                "warm-up (optim.lr.warmup_steps)"
            )
    return found


# Mean |log ratio| a token. axolotl's guide: below 0.1 is healthy, above 1 another policy sampled.
GAP, GAP_BETWEEN_UPDATES = 0.1, 1.0


@sicknesses.register("sampler_gap")
def sampler_disagrees(seen: Seen) -> Mapping[str, str]:
    """At the first update on fresh rollouts, sampler and learner are one model."""
    limit = GAP if seen.facts.num_iterations == 1 else GAP_BETWEEN_UPDATES
    return {
        term: (
            f"the log-probabilities of '{term}' differ by {seen.metrics[name]:.3g} a token from "
            "those of the sampler: the rollouts are of another policy than the one that is "
            "trained. Look for a generator with other or older weights, another temperature or "
            "precision. Try generation.kind=local, model.dtype=float32"
            + (", training.num_iterations=1" if seen.facts.num_iterations > 1 else "")
        )
        for term, name in seen.ending("sampler_gap")
        if seen.history.above(name, limit, LASTING)
    }


# axolotl's guide: below 0.1 is healthy, above 0.3 too much is clipped.
CLIPPED_SHARE = 0.3


@sicknesses.register("clipped")
def mostly_clipped(seen: Seen) -> Mapping[str, str]:
    """What is clipped has no gradient."""
    return {
        term: (
            f"{seen.metrics[name]:.0%} of the tokens of '{term}' are clipped and teach nothing: "
            "the policy moved too far from the one that sampled them. Try a lower optim.lr, fewer "
            f"training.num_iterations, or a wider terms.{term}.objective.clip_high"
        )
        for term, name in seen.ending("clipped")
        if seen.history.above(name, CLIPPED_SHARE, LASTING)
    }


# Times the limit, at each of so many steps: there the limit and not the loss sets the size of the
# updates. axolotl's guide: above 10 is unstable, where 1 is the limit.
NORM_EXCESS, NORM_STEPS = 10.0, 50


@sicknesses.register("always_clipped")
def gradient_always_clipped(seen: Seen) -> Mapping[str, str]:
    """Clipping is for the odd step; at every step it hides how large the gradients are."""
    limit = seen.facts.max_grad_norm
    if not seen.history.above("grad_norm", limit, NORM_STEPS):
        return {}
    usual = median(seen.history.newest("grad_norm", NORM_STEPS))
    if usual <= NORM_EXCESS * limit:
        return {}
    return {
        "grad_norm": (
            f"the gradient was clipped at each of {NORM_STEPS} steps: its norm is {usual:.3g} in "
            f"the median, and training.max_grad_norm {limit:g}. Either the loss is on a steep "
            "slope, or the limit is too tight for these terms' weights. Try a lower optim.lr, "
            f"a warm-up (optim.lr.warmup_steps), or training.max_grad_norm={usual:.2g}"
        )
    }


# Times the usual norm of the steps before.
SPIKE, SPIKE_BEFORE = 10.0, 20


@sicknesses.register("spike")
def gradient_spikes(seen: Seen) -> Mapping[str, str]:
    """One batch pulls far harder than the others."""
    norm, limit = seen.metrics["grad_norm"], seen.facts.max_grad_norm
    usual = seen.history.usual("grad_norm", 1, SPIKE_BEFORE)
    if usual is None or norm <= max(SPIKE * usual, limit):
        return {}
    return {
        "grad_norm": (
            f"the gradient's norm is {norm:.3g}, and {usual:.3g} is usual. It was scaled down to "
            f"{limit:g}, so one such step does little harm. If they come back, look for a broken "
            "row in the data, lower optim.lr or training.max_grad_norm"
        )
    }
