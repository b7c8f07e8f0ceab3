"""What a health check of a run is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from uniapl_cli.monitoring.history import History
from uniapl_cli.registry import Registry


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of a run before its first step.

    surrogate_terms: each surrogate term's reward. contrasting: the rewards whose advantages compare
    a group's rollouts with each other. kl_terms: the terms that measure KL to the reference.
    nll_terms: those whose loss is the demonstrations' mean negative log-likelihood. prompts_of: the
    key that names each source's prompts. resampling: the sources that may sample other prompts.
    warm_up: what to set for a longer warm-up. sampler: what to set so that the sampler is the
    trained model, or is corrected for, as far as it is not set. corrected: by surrogate term, the
    setting that corrects it for another sampler; terms that nothing corrects are not in it.
    watched: a metric of validation of which more is better; "" where there is none.
    """

    surrogate_terms: Mapping[str, str]
    contrasting: Collection[str]
    kl_terms: Collection[str]
    nll_terms: Collection[str]
    max_new_tokens: int
    max_grad_norm: float
    num_iterations: int = 1
    temperature: float = 1.0
    prompts_of: Mapping[str, str] = field(default_factory=dict)
    resampling: Collection[str] = ()
    warm_up: str = "optim.lr.warmup_steps"
    sampler: Sequence[str] = ()
    corrected: Mapping[str, str] = field(default_factory=dict)
    watched: str = ""


@dataclass(frozen=True)
class StepRecord:
    """The metrics of a step, those of all steps up to and with it, and the facts of the run."""

    metrics: Mapping[str, float]
    history: History
    run: RunFacts

    def named(self, metric: str) -> Iterator[tuple[str, str]]:
        """Yield (X, X/metric) for each source or term X that has the metric at this step."""
        for name in self.metrics:
            owner = name.removesuffix(f"/{metric}")
            if owner != name and "/" not in owner:
                yield owner, name


# (step) -> warnings, by what they are about: a source, a term, a metric. Empty where all is well.
HealthCheck = Callable[[StepRecord], Mapping[str, str]]
health_checks: Registry[HealthCheck] = Registry("health check")

# Steps in a row that rule out the chance of one batch.
LASTING = 3
