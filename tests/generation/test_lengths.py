"""How many tokens are to come is estimated from lengths that are known, cut off or not."""

import numpy as np
import pytest

from uniapl_cli.generation.samples import Lengths


def test_to_begin_with_a_response_takes_a_quarter_of_what_it_may():
    assert Lengths(400).left([], [(0, 400)]) == pytest.approx(100, rel=0.1)


def test_with_many_known_it_is_their_mean():
    lengths, rng = Lengths(200), np.random.default_rng(0)
    known = rng.integers(20, 90, 5000)
    for length in known:
        lengths.add(int(length), stopped=True)
    assert lengths.left([], [(0, 200)]) == pytest.approx(known.mean(), rel=0.02)
    beyond = known[known > 60] - 60
    assert lengths.left([60], [(60, 200)]) == pytest.approx(beyond.mean(), rel=0.05)


def test_those_that_were_cut_off_were_longer():
    lengths, rng = Lengths(1000), np.random.default_rng(0)
    for length in rng.geometric(0.01, 4000):
        lengths.add(min(int(length), 120), stopped=length <= 120)
    assert lengths.left([], [(0, 1000)]) == pytest.approx(100, rel=0.08)


def test_those_under_way_have_not_ended_yet():
    """Only the short ones have, of responses that were begun together."""
    lengths = Lengths(500)
    for length in (10, 12, 15):
        lengths.add(length, stopped=True)
    under_way = [40] * 97
    assert lengths.left(under_way, [(0, 500)]) > 200
    assert lengths.left([], [(0, 500)]) < 30


def test_a_limit_is_never_passed():
    lengths = Lengths(50)
    lengths.add(50, stopped=False)
    assert lengths.left([], [(0, 7), (45, 50), (50, 50)]) <= 12
