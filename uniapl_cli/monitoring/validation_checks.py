"""Health checks of validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from uniapl_cli.monitoring.check import LASTING, StepRecord, health_checks

# What stands before a validation's metrics in the history.
VALIDATION = "validation/"


@health_checks.register("overoptimised")
def overoptimised(step: StepRecord) -> Mapping[str, str]:
    """A training reward that rises while held-out rows get worse: what it misses is exploited."""
    watched, count, warnings = step.run.watched, LASTING + 1, {}
    measured = step.history.newest(VALIDATION + watched, count)
    if not watched or not _falls(measured):
        return {}
    for name in step.metrics:
        rewards = step.history.newest(VALIDATION + name, count) if name.endswith("/mean") else []
        if _falls([-reward for reward in rewards]):
            warnings[name] = (
                f"in each of the last {LASTING} validations {watched} fell ({measured[0]:.3g} to "
                f"{measured[-1]:.3g}) while {name} rose ({rewards[0]:.3g} to {rewards[-1]:.3g}): "
                "the policy may learn what the reward misses. Hold it closer to its start (more "
                "weight for the divergence, a lower optim.lr), take more prompts, or stop here; "
                f"validation.best={watched} keeps the best model"
            )
    return warnings


def _falls(values: Sequence[float]) -> bool:
    """Whether there are enough values, and each is below the one before."""
    return len(values) > LASTING and all(after < before for before, after in pairwise(values))
