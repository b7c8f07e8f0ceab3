import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.discriminators import coefficient


@pytest.mark.parametrize(
    ("score", "expected"), [(0, 1), (1, 0.572895), (2, -0.160051), (math.log(3), 0.5)]
)
def test_known_values(score, expected):
    # sigmoid(log 3) = 3/4, so the last is 1 - 8 / 16.
    assert coefficient(score) == pytest.approx(expected, abs=1e-6)


@given(st.floats(allow_nan=False))
def test_it_is_symmetric_and_within_its_bounds(score):
    assert -1 <= coefficient(score) <= 1
    assert coefficient(-score) == pytest.approx(coefficient(score), abs=1e-12)


@given(st.floats(0, 30), st.floats(0, 30))
def test_it_falls_with_the_distance_from_zero(near, far):
    near, far = sorted((near, far))
    assert coefficient(near) >= coefficient(far)


@pytest.mark.parametrize("score", [1e4, -1e4, math.inf, -math.inf])
def test_it_ends_at_minus_one(score):
    assert coefficient(score) == pytest.approx(-1)
