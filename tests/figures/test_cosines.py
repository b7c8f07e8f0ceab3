"""Cosines between the terms' gradients: panels of one run and of several, and runs without them."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.figures.cosines import cosines
from uniapl_cli.figures.runs import read_runs

PAIR = "gradients/cosine/imitation~preference"


def rows(*values):
    """Every second step has gradients."""
    found = []
    for step, value in enumerate(values, 1):
        found += [{"step": 2 * step - 1, "loss": 1.0}]
        terms = {"gradients/imitation": 2.0, "gradients/preference": 0.5}
        found += [{"step": 2 * step, PAIR: value, **terms}]
    return found


def test_one_run_has_a_panel_of_pairs_and_one_of_norms(make_run):
    chart = cosines(read_runs([make_run("a", rows(0.5, -0.25))]), width=1)
    pairs, norms = chart.panels
    assert [one.name for one in pairs.series] == ["imitation ~ preference"]
    assert (pairs.series[0].x, pairs.series[0].y) == ((2.0, 4.0), (0.5, -0.25))
    assert [(one.name, one.y) for one in norms.series] == [
        ("imitation", (2.0, 2.0)),
        ("preference", (0.5, 0.5)),
    ]
    assert pairs.zero == "y" and norms.y_scale == "log"
    low, high = pairs.y_range
    assert low == -high and high >= 0.5


def test_many_pairs_of_one_run_have_a_panel_each(make_run):
    pairs = {f"gradients/cosine/a~{name}": 0.1 for name in "bcdefg"}
    norms = {f"gradients/{name}": 1.0 for name in "abcdefg"}
    chart = cosines(read_runs([make_run("a", [{"step": 1, **pairs, **norms}])]))
    assert [panel.title for panel in chart.panels[::6]] == ["a ~ b", "Norm"]
    assert [len(panel.series) for panel in chart.panels] == [1] * 6 + [7]


def test_several_runs_have_a_panel_a_pair_and_seeds_a_band(make_run):
    names = ["a-0", "a-1", "b-0"]
    runs = read_runs([make_run(name, rows(0.1 * i, 0.2)) for i, name in enumerate(names)])
    chart = cosines(runs)
    assert [panel.title for panel in chart.panels] == [
        "imitation ~ preference",
        "norm of imitation",
        "norm of preference",
    ]
    assert [one.name for one in chart.panels[0].series] == names
    seeds = cosines(runs, over_seeds=True, width=1)
    assert [one.name for one in seeds.panels[0].series] == ["a", "b"]
    assert seeds.panels[0].series[0].y == pytest.approx((0.05, 0.2))
    alone = cosines(runs[:2], over_seeds=True)
    assert [one.name for one in alone.panels[0].series] == ["imitation ~ preference"]


def test_a_run_without_gradients_says_which_key_gives_them(make_run):
    with pytest.raises(DataError) as caught:
        cosines(read_runs([make_run("a", [{"step": 1, "loss": 1.0}])]))
    assert (caught.value.key, caught.value.got) == ("run.gradients_every", "a")
