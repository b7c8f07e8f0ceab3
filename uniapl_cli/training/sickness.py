"""What a sickness of a run is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from uniapl_cli.registry import Registry
from uniapl_cli.training.history import History


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a run before its first step.

    surrogate_terms: each surrogate term's reward. contrasting: the rewards whose advantage holds a
    group's rollouts against each other. kl_terms: the terms that measure KL to the reference.
    nll_terms: those whose loss is the demonstrations' mean negative log-likelihood.
    """

    surrogate_terms: Mapping[str, str]
    contrasting: Collection[str]
    kl_terms: Collection[str]
    nll_terms: Collection[str]
    max_new_tokens: int
    max_grad_norm: float
    num_iterations: int = 1


@dataclass(frozen=True)
class Seen:
    """The metrics of a step, all metrics up to and with it, and the facts of the run."""

    metrics: Mapping[str, float]
    history: History
    facts: Facts

    def ending(self, metric: str) -> Iterator[tuple[str, str]]:
        """Yield, for each `X/metric` of the step, X, which is a source or a term, and the whole."""
        for name in self.metrics:
            about, _, last = name.rpartition("/")
            if last == metric and about and "/" not in about:
                yield about, name


# A step -> what is wrong, by what it is wrong with: a source, a term, a metric.
Sickness = Callable[[Seen], Mapping[str, str]]
sicknesses: Registry[Sickness] = Registry("sickness")

# Steps in a row that make a habit of what one batch may show by chance.
LASTING = 3
