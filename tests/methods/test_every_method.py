"""What every packaged method does in its first steps, beside what it did when it was added."""

import json

import pytest
from scripted import GOLDEN, first_steps

from uniapl_cli.config.methods import packaged

KEPT = json.loads(GOLDEN.read_text("utf-8"))


def test_every_method_is_kept():
    assert sorted(KEPT) == sorted(packaged())


@pytest.mark.slow
@pytest.mark.parametrize("method", KEPT)
def test_the_first_three_steps(method):
    """The answers are written, so nothing but the arithmetic can differ."""
    steps = first_steps(method)
    assert [set(step) for step in steps] == [set(step) for step in KEPT[method]]
    for step, kept in zip(steps, KEPT[method], strict=True):
        assert step == pytest.approx(kept, rel=2e-3, abs=2e-5)
    assert all(step["grad_norm"] > 0 for step in steps[:1])
