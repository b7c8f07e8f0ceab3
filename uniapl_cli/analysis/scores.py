"""A discriminator's scores beside verdicts: whether r, or its coefficient, knows what passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from uniapl_cli.analysis.agreement import overall, within
from uniapl_cli.discriminators import coefficient


@dataclass(frozen=True)
class Scored:
    """Scores r of responses, whether each passed all of its verifiers, the index of its prompt.

    not_judged: responses that are not among them, since a verifier could not judge.
    """

    scores: Sequence[float]
    passed: Sequence[bool]
    prompt: Sequence[int]
    not_judged: int = 0

    def plain(self) -> dict[str, Any]:
        """Return the scores, and how they agree with the verdicts, as JSON holds them."""
        return {
            "scores": list(self.scores),
            "passed": list(self.passed),
            "prompt": list(self.prompt),
            "not_judged": self.not_judged,
            **self.agreement(),
        }

    def agreement(self) -> dict[str, Any]:
        """Return how r, and how the anchor's coefficient of r, agree with the verdicts."""
        coefs = [coefficient(score) for score in self.scores]
        return {
            "responses": len(self.scores),
            "passing": fmean(self.passed) if self.passed else None,
            "passed_mean": self._mean(True),
            "failed_mean": self._mean(False),
            "auc": overall(self.scores, self.passed, self.prompt).plain(),
            "within": within(self.scores, self.passed, self.prompt).plain(),
            "coef_auc": overall(coefs, self.passed, self.prompt).plain(),
            "coef_within": within(coefs, self.passed, self.prompt).plain(),
        }

    def _mean(self, passed: bool) -> float | None:
        scores = [s for s, ok in zip(self.scores, self.passed, strict=True) if ok is passed]
        return fmean(scores) if scores else None


def compare_scores(models: Mapping[str, Scored]) -> dict[str, Any]:
    """Return each model's agreement, and that over the responses of all."""
    together = Scored(
        [score for one in models.values() for score in one.scores],
        [passed for one in models.values() for passed in one.passed],
        [prompt for one in models.values() for prompt in one.prompt],
    )
    by_name = {name: one.plain() for name, one in models.items()}
    return {"models": by_name, "all": together.agreement()}
