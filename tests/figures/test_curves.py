"""Training curves: what is read of runs, which metrics are shown, how lines are smoothed."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.seeds import summary
from uniapl_cli.figures.chart import Panel, Series
from uniapl_cli.figures.curves import curves, default
from uniapl_cli.figures.runs import read_runs
from uniapl_cli.figures.scales import y_range
from uniapl_cli.figures.smooth import smooth, thinned, window


def rows(values, **more):
    return [{"step": step, "loss": value, **more} for step, value in enumerate(values, 1)]


def test_a_torn_last_line_and_what_is_no_number_are_passed_over(make_run):
    values = [1.0, 2.0, float("nan"), True, "3", None, 10**400, 4]
    (run,) = read_runs([make_run("a", rows(values), tail='{"version": 2, "step": 9, "lo')])
    assert run.curve("loss") == {1: 1.0, 2: 2.0, 8: 4}


def test_smoothing_keeps_constants_and_slopes():
    assert smooth([2.0] * 7, 5) == (2.0,) * 7
    assert smooth([1.0, 3.0, 5.0, 7.0, 9.0], 5) == (1.0, 3.0, 5.0, 7.0, 9.0)
    assert smooth([0.0, 3.0, 0.0], 3) == (0.0, 1.0, 0.0)
    assert smooth([1.0, 5.0], 1) == (1.0, 5.0)
    assert [window(n) for n in (1, 9, 20, 100, 101)] == [1, 1, 3, 7, 7]
    assert all(window(n) % 2 for n in range(300))


def test_a_thinned_line_keeps_extremes_and_order():
    x = list(range(999))
    y = [((i * 7919) % 997) / 10 for i in x]
    few_x, few_y = thinned(x, y, 100)
    assert len(few_x) <= 100 and list(few_x) == sorted(set(few_x))
    assert (min(few_y), max(few_y)) == (min(y), max(y))
    assert all(y[at] == value for at, value in zip(few_x, few_y, strict=True))
    assert thinned([1, 2], [3, 4], 2) == ([1, 2], [3, 4])


def test_the_chart_has_the_numbers(make_run):
    runs = read_runs([make_run("a", rows([1.0, 2.0, 6.0])), make_run("b", rows([4.0]))])
    (panel,) = curves(runs, width=3).plain()["panels"]
    assert panel["title"] == "loss"
    assert panel["series"] == [
        {"name": "a", "x": [1.0, 2.0, 3.0], "y": [1.0, 3.0, 6.0], "raw": [1.0, 2.0, 6.0]},
        {"name": "b", "x": [1.0], "y": [4.0]},
    ]


def test_seeds_become_a_mean_with_a_band_at_the_steps_that_all_have(make_run):
    seeds = {"m-0": [1.0, 2.0, 3.0], "m-1": [2.0, 2.0], "m-7": [6.0, 2.0, 1.0], "n": [0.0]}
    runs = read_runs([make_run(name, rows(values)) for name, values in seeds.items()])
    (panel,) = curves(runs, over_seeds=True, width=1).panels
    band, alone = panel.series
    assert (band.name, alone.name) == ("m", "n")
    assert band.x == (1.0, 2.0)
    low, high = summary([1.0, 2.0, 6.0])["interval"]
    assert (band.y[0], band.low[0], band.high[0]) == (3.0, low, high)
    assert (band.low[1], band.high[1]) == (2.0, 2.0)
    assert alone.low == ()


def test_a_wide_band_does_not_flatten_the_lines():
    wide = Series("m", (1.0, 2.0), (1.0, 2.0), (-100.0, -100.0), (100.0, 100.0))
    assert y_range(Panel("p", (wide,))) == pytest.approx((-0.18, 3.18))
    low, high = y_range(Panel("p", (wide,), y_scale="log"))
    assert 0.8 < low < 1 and 3.9 < high < 5
    narrow = Series("m", (1.0, 2.0), (1.0, 2.0), (0.9, None), (1.1, None))
    assert y_range(Panel("p", (narrow,))) == pytest.approx((0.834, 2.066))


def test_the_defaults_are_those_that_there_are(make_run):
    known = [
        "loss", "preference", "lr", "grad_norm", "kl/kl", "rollouts/completions/mean_length",
        "demonstrations/completions/mean_length", "rollouts/entropy", "rollouts/anchor/mean",
        "rollouts/verifier/mean", "rollouts/verifier/std",
    ]  # fmt: skip
    assert default(known) == [
        "loss", "rollouts/verifier/mean", "rollouts/anchor/mean",
        "rollouts/completions/mean_length", "kl/kl", "rollouts/entropy", "grad_norm",
    ]  # fmt: skip
    (run,) = read_runs([make_run("a", [{"step": 1, "lr": 0.5}])])
    with pytest.raises(DataError):
        curves([run])
    assert [panel.title for panel in curves([run], ["lr", "lr"]).panels] == ["lr"]


def test_an_unknown_metric_gets_the_nearest(make_run):
    (run,) = read_runs([make_run("a", rows([1.0], grad_norm=2.0))])
    with pytest.raises(DataError) as caught:
        curves([run], ["gradnorm"])
    assert caught.value.suggestion == "grad_norm"
    assert caught.value.allowed == ("grad_norm", "loss")


def test_runs_of_the_same_folder_name_are_told_apart(make_run):
    folders = [make_run(f"{parent}/run", rows([1.0])) for parent in "ab"]
    assert [run.name for run in read_runs(folders)] == ["a/run", "b/run"]
    named = read_runs([f"mine={folders[0]}", folders[1] / "metrics.jsonl"])
    assert [run.name for run in named][0] == "mine"
    with pytest.raises(DataError) as caught:
        read_runs([folders[0], folders[0]])
    assert caught.value.got == "run"


def test_what_is_no_run_is_refused(make_run, tmp_path):
    (tmp_path / "empty").mkdir()
    torn = make_run("torn", [], tail='{"ver')
    other = make_run("other", [])
    (other / "metrics.jsonl").write_text('{"version": 1, "step": 1}\n')
    wrong = make_run("wrong", [], tail="[1]\n")
    for path in (tmp_path / "absent", tmp_path / "empty", torn):
        with pytest.raises(DataError) as caught:
            read_runs([path])
        assert str(path) in str(caught.value)
    for path in (other, wrong):
        with pytest.raises(DataError) as caught:
            read_runs([path])
        assert (caught.value.file, caught.value.line) == (str(path / "metrics.jsonl"), 1)


def test_an_even_window_takes_one_more_and_says_so(make_run):
    runs = read_runs([make_run("a", rows([0.0, 3.0, 0.0]))])
    chart = curves(runs, width=2)
    assert chart.panels[0].series[0].y == (0.0, 1.0, 0.0)
    assert "means over 3 logged steps" in chart.note


def test_runs_without_a_finite_number_are_refused(make_run):
    with pytest.raises(DataError):
        curves(read_runs([make_run("a", rows([float("nan")] * 3))]))
