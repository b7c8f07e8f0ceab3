"""The end of a run that has nothing left to learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from uniapl_cli.errors import TrainingError


class Idle:
    """Counts updates in a row whose gradient was exactly 0. A `limit` of 0 allows any number."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.updates = 0

    def note(self, step: int, grad_norm: float, metrics: Mapping[str, float]) -> None:
        """Take an update's gradient norm. Raises TrainingError at the `limit`-th 0 in a row."""
        self.updates = self.updates + 1 if grad_norm == 0 else 0
        if self.limit and self.updates >= self.limit:
            raise TrainingError(
                f"nothing is left to learn: the gradient was exactly 0 for {self.updates} updates "
                f"in a row, up to step {step}",
                " ".join(reasons(metrics)),
                got=self.updates,
            )


def reasons(metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield what the metrics tell of why there is no gradient."""
    known = False
    for name, value in metrics.items():
        about, _, last = name.rpartition("/")
        if value != 1 or last not in ("equal_groups", "truncated"):
            continue
        known = True
        if last == "truncated":
            yield (
                f"All of {about} were cut off at sampling.max_new_tokens: raise it; with "
                f"sources.{about}.mask_truncated_completions=true such responses count for nothing."
            )
        else:
            source, _, reward = about.partition("/")
            yield (
                f"All {source} to a prompt are worth the same to '{reward}' (mean reward "
                f"{metrics[f'{about}/mean']:.3g}), so none is better than another: take easier or "
                f"harder prompts, a larger sources.{source}.num_generations, or end the run here "
                "(training.steps)."
            )
    if not known:
        yield (
            "Rewards differ and responses end, so no token carries a loss, or the terms have "
            "reached their optimum: look at the rows in samples.jsonl and at the terms' weights."
        )
