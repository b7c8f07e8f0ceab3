"""Lengths of responses beside the teacher's: Figure 3 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from uniapl_cli.analysis.distances import distances


@dataclass(frozen=True)
class Lengths:
    """Tokens of responses, the stop token included, and whether each was cut off.

    tokens, cut: by prompt, with as many responses to each.
    """

    tokens: Sequence[Sequence[int]]
    cut: Sequence[Sequence[bool]]

    def plain(self) -> dict[str, Any]:
        """Return them as JSON holds them: in one list, the responses to a prompt together."""
        lengths = [number for one in self.tokens for number in one]
        share = fmean(float(cut) for one in self.cut for cut in one)
        return {"lengths": lengths, "mean": fmean(lengths), "cut": share}


def compare_lengths(teacher: Lengths, models: Mapping[str, Lengths]) -> dict[str, Any]:
    """Return the lengths, and of each model the distances to the teacher's."""
    compared = {}
    for name, lengths in models.items():
        area, height = distances(lengths.tokens, teacher.tokens)
        compared[name] = {
            **lengths.plain(),
            "wasserstein": area.plain(),
            "ks": height.plain(),
        }
    return {"unit": "tokens", "teacher": teacher.plain(), "models": compared}
