"""Differences of log-probabilities: mean, error with prompts as the unit, width."""

import math
import statistics

import numpy as np
import pytest

from uniapl_cli.analysis.logprobs import compare_logprobs


def test_by_hand():
    found = compare_logprobs([-2.0, -4.0, -9.0], [-1.0, -1.0, -4.0], [1, 3, 5], [0, 1, 2])
    # -1, -3, -5
    assert found["difference"]["mean"] == -3
    assert found["difference"]["sd"] == 2
    assert found["difference"]["se"] == pytest.approx(2 / math.sqrt(3))
    # Student's t of 2 degrees is 4.3027 at 0.975
    assert found["difference"]["high"] == pytest.approx(-3 + 4.302653 * 2 / math.sqrt(3))
    assert found["per_token"]["mean"] == -1
    assert found["per_token"]["sd"] == found["per_token"]["se"] == 0


def test_answers_of_one_prompt_are_no_more_prompts():
    values = np.random.default_rng(0).normal(size=12)
    once = compare_logprobs(values, np.zeros(12), np.ones(12), range(12))["difference"]
    twice = np.repeat(values, 2), np.zeros(24), np.ones(24), np.repeat(np.arange(12), 2)
    again = compare_logprobs(*twice)["difference"]
    assert once["se"] == pytest.approx(statistics.stdev(values) / math.sqrt(12))
    assert again["se"] == pytest.approx(once["se"])
    assert again["mean"] == pytest.approx(once["mean"])


def test_one_response_has_no_error():
    found = compare_logprobs([-2.0], [-1.0], [2], [0])["difference"]
    assert found == {"mean": -1.0, "se": None, "sd": None, "low": None, "high": None}
