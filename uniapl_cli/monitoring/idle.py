"""Stops a run that has nothing left to learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from uniapl_cli.errors import TrainingError

# What rounding leaves of float32 gradients that cancel out, as those of two equal answers do.
# An optimiser such as AdamW would make updates of the usual size of it.
ROUNDING = 1e-6
OF_ROLLOUTS = ("/completions/clipped_ratio", "/frac_reward_zero_std")


class IdleCounter:
    """Counts steps in a row without a gradient. A `limit` of 0 allows any number."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.steps = 0

    def add(
        self, step: int, grad_norm: float, metrics: Mapping[str, float], weight: float = 1.0
    ) -> None:
        """Count a step by its gradient norm. Raises TrainingError at the `limit`-th 0 in a row.

        A norm of ROUNDING times `weight`, the largest of the terms', counts as 0. `metrics` are the
        step's, from which the error says why.
        """
        self.steps = self.steps + 1 if grad_norm <= ROUNDING * weight else 0
        if self.limit and self.steps >= self.limit:
            raise TrainingError(
                f"nothing is left to learn: the gradient was 0, or no more than rounding leaves, "
                f"for {self.steps} steps in a row, up to step {step}",
                " ".join(reasons(metrics)),
                got=self.steps,
            )


def reasons(metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield sentences on why there is no gradient, as far as the metrics tell."""
    explained = False
    for name, value in metrics.items():
        if value != 1:
            continue
        if name.endswith("/completions/clipped_ratio"):
            explained = True
            source = name.removesuffix("/completions/clipped_ratio")
            yield (
                f"All {source} were cut off at sampling.max_new_tokens: raise it; with "
                f"sources.{source}.mask_truncated_completions=true such responses count for "
                "nothing."
            )
        elif name.endswith("/frac_reward_zero_std"):
            explained = True
            source, reward, _ = name.split("/")
            yield (
                f"All {source} to a prompt earn the same '{reward}' (mean reward "
                f"{metrics[f'{source}/{reward}/mean']:.3g}), so none is better than another: take "
                f"easier or harder prompts, a larger sources.{source}.num_generations, or end the "
                "run here (training.steps)."
            )
    if not explained and not any(name.endswith(OF_ROLLOUTS) for name in metrics):
        yield "The terms have reached their optimum, or their weights are next to nothing."
    elif not explained:
        yield (
            "Rewards differ and responses end, so no token carries a loss, or the terms have "
            "reached their optimum: look at the rows in samples.jsonl and at the terms' weights."
        )
