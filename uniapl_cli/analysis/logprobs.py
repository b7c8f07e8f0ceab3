"""How much likelier responses are to a student than to the teacher: Figure 4 of the paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from uniapl_cli.analysis.resampling import plain
from uniapl_cli.evaluation.seeds import LEVEL, student_t


def compare_logprobs(
    student: Sequence[float],
    teacher: Sequence[float],
    tokens: Sequence[int],
    prompt: Sequence[int],
) -> dict[str, Any]:
    """Return both total log-probabilities of each response, in nats, and their differences.

    tokens: the student's of each response. prompt: the index of its prompt. sd: of the differences,
    how wide their distribution is. se, low, high: of their mean, with prompts as the unit.
    """
    difference = np.subtract(student, teacher)
    return {
        "student": list(student),
        "teacher": list(teacher),
        "tokens": list(tokens),
        "prompt": list(prompt),
        "difference": _summary(difference, prompt),
        "per_token": _summary(difference / np.asarray(tokens), prompt),
    }


def _summary(values: Any, prompt: Sequence[int]) -> dict[str, float | None]:
    """Return the mean, its error and 95% interval, and the standard deviation of the values.

    The error is that of the mean over prompts: answers to one prompt stay together.
    """
    _, which = np.unique(prompt, return_inverse=True)
    prompts = int(which.max()) + 1
    mean = float(values.mean())
    moved = np.bincount(which, values - mean, prompts) / len(values)
    se = half = math.nan
    if prompts > 1:
        se = math.sqrt(prompts / (prompts - 1) * float((moved**2).sum()))
        half = student_t((1 + LEVEL) / 2, prompts - 1) * se
    sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return plain(mean=mean, se=se, sd=sd, low=mean - half, high=mean + half)
