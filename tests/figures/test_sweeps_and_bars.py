"""Sweeps and bars: seeds become means, one evaluation keeps its own error, the paper's numbers."""

import pytest
from evaluations import benchmark, evaluation

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.evaluation.seeds import summary
from uniapl_cli.figures import paper
from uniapl_cli.figures.bars import bars, read_models
from uniapl_cli.figures.scales import places_of, y_range
from uniapl_cli.figures.sweep import read_sweep, sweep
from uniapl_cli.published.table import table

SHOW = ["greedy/prompt_strict"]


@pytest.fixture
def swept(tmp_path):
    """Three seeds at 0.1, one evaluation at 0."""
    for seed, mean in enumerate((0.2, 0.3, 0.7)):
        evaluation(tmp_path / f"a-{seed}", f"a-{seed}", mean)
    evaluation(tmp_path / "zero/eval", "zero", 0.5)
    return [f"gt:0.1={tmp_path}/a-*", f"gt:0={tmp_path}/zero"]


def test_seeds_are_a_mean_and_one_evaluation_has_its_own_interval(swept):
    (panel,) = sweep(read_sweep(swept), SHOW).panels
    (series,) = panel.series
    assert (series.name, series.x, panel.y) == ("gt", (0.0, 0.1), "%")
    assert series.y == pytest.approx((50, 40))
    low, high = summary([20.0, 30.0, 70.0])["interval"]
    assert series.low == pytest.approx((50 - 19.6, low), abs=1e-3)
    assert series.high == pytest.approx((50 + 19.6, high), abs=1e-3)
    (raw,) = sweep(read_sweep(swept), ["greedy/score"]).panels
    assert raw.y == "" and raw.series[0].y == pytest.approx((1.0, 0.8))


def test_0_stands_a_decade_before_the_others_and_shares_end_at_100(swept):
    (panel,) = sweep(read_sweep(swept), SHOW).panels
    assert places_of(panel) == pytest.approx({0.0: -2, 0.1: -1})
    low, high = y_range(panel)
    assert low < min(panel.series[0].low) and high == 101


def test_the_default_is_what_report_shows(swept):
    titles = [panel.title for panel in sweep(read_sweep(swept)).panels]
    assert titles == ["greedy/prompt_strict", "greedy/score"]


@pytest.mark.parametrize("text", ["=e", "gt=e", "gt:0.1", "gt:x=e", "gt:-1=e", "gt:nan=e", ":1=e"])
def test_an_argument_that_says_too_little_is_refused(text):
    with pytest.raises(DataError) as caught:
        read_sweep([text])
    assert caught.value.advice.startswith("Type SERIES:X=RESULTS")


def test_a_seed_counts_once_and_an_unknown_metric_gets_the_nearest(swept, tmp_path):
    with pytest.raises(DataError) as caught:
        read_sweep([*swept, f"gt:0={tmp_path}/zero/eval/eval.json"])
    assert caught.value.got == "zero"
    with pytest.raises(DataError) as caught:
        sweep(read_sweep(swept), ["greedy/promt_strict"])
    assert caught.value.suggestion == "greedy/prompt_strict"
    for path in (tmp_path / "absent", f"{tmp_path}/*.none"):
        with pytest.raises(DataError):
            read_sweep([f"gt:1={path}"])
    with pytest.raises(DataError):
        sweep({})


def test_the_papers_means_are_those_of_its_tables():
    """Both figures' are parts of Avg, which is off by 0.013 where it is printed wrong."""
    for number, series in zip((10, 11), paper.sweep(5), strict=True):
        general = paper.sweep(6)[number - 10]
        assert series.x == general.x == (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
        for x, own, others in zip(series.x, series.y, general.y, strict=True):
            (run,) = [run for run in table(number).runs if run.weight and float(run.weight) == x]
            assert (2 * own + 10 * others) / 12 == pytest.approx(
                float(run.values[AVERAGE]), abs=0.014
            )
    assert dict(zip(series.x, paper.sweep(5)[0].y, strict=True))[1e-3] == pytest.approx(78.96)


def domains(follow, average):
    return {
        "greedy": {
            "I-Following": {"mean": follow, "se": 0.01},
            AVERAGE: {"mean": average, "se": 0.01},
        }
    }


def test_ours_stand_in_the_papers_panel_where_they_are_of_the_same_benchmarks(tmp_path):
    folder = evaluation(tmp_path / "a", "a", domains=domains(0.8, 0.5))
    groups = read_sweep([f"gt:0.001={folder}"])
    (panel,) = sweep(groups, published=5).panels
    assert [one.name for one in panel.series][0] == "gt"
    assert panel.series[0].y == pytest.approx((80,))
    (panel,) = sweep(groups, published=6).panels
    assert panel.series[0].y == pytest.approx(((12 * 50 - 2 * 80) / 10,))
    part = evaluation(tmp_path / "b", "b", domains=domains(0.8, None))
    apart = sweep(read_sweep([f"gt:0.001={part}"]), SHOW, published=6).panels
    assert [panel.title for panel in apart] == [paper.MEANS[6], *SHOW]
    assert [len(panel.series) for panel in apart] == [2, 1]


def test_the_rest_of_a_mean_and_its_error_are_those_of_the_rest():
    """Ten independent errors of 0.02 and two of 0.03."""
    whole = {"mean": 0.5, "se": (10 * 0.02**2 + 2 * 0.03**2) ** 0.5 / 12}
    part = {"mean": 0.6, "se": (2 * 0.03**2) ** 0.5 / 2}
    assert len(means()[AVERAGE]) == 12 and len(means()["I-Following"]) == 2
    found = paper.ours({"domains": {"greedy": {AVERAGE: whole, "I-Following": part}}}, 6)
    assert found == pytest.approx({"mean": 0.48, "se": (10 * 0.02**2) ** 0.5 / 10})


def test_bars_are_ours_below_the_papers_run_of_the_same_name(tmp_path):
    made = {"ifeval": benchmark(0.6)}
    own = evaluation(tmp_path / "own", "own", benchmarks=made)
    other = evaluation(tmp_path / "other", "other", benchmarks=made)
    chart = bars(read_models([f"0.6b-sft={own}", str(other)]), published=True)
    (panel,) = chart.panels
    rows = list(panel.categories)
    theirs, ours = panel.series
    assert rows[1:3] == ["0.6B SFT"] * 2 and rows[-1] == "other"
    assert ours.y == (2.0, len(rows) - 1.0)
    assert (*ours.x, *ours.low, *ours.high) == pytest.approx((60, 60, 57, 57, 62, 62))
    assert theirs.ink and theirs.x[1] == 60.26
    assert len(theirs.x) == len(paper.ifeval()) == 20


def test_without_ifeval_the_paper_has_a_panel_of_its_own(tmp_path):
    made = [evaluation(tmp_path / name, name) for name in "ab"]
    chart = bars(read_models([f"x={made[0]}", f"x={made[1]}"]), published=True)
    assert [panel.title for panel in chart.panels] == ["IFEval", "greedy/prompt_strict"]
    assert chart.panels[1].categories == ("x",)
    (alone,) = bars(read_models([f"{made[0]}"])).panels
    assert alone.series[0].x == (50.0,)
    with pytest.raises(DataError):
        read_models([f"x={made[0]}", f"x={made[0]}"])
    with pytest.raises(DataError):
        bars({})


@pytest.mark.parametrize(
    "wrong",
    [
        {"draws": []},
        {"draws": {"greedy": 3}},
        {"draws": {"greedy": {"a": 3}}},
        {"draws": {"greedy": {"a": {"mean": "high"}}}},
        {"domains": {"greedy": {"Average": 3}}},
        {"name": None},
    ],
)
def test_an_evaluation_that_is_not_whole_is_refused(tmp_path, wrong):
    folder = evaluation(tmp_path / "a", **{"name": "a", **wrong})
    for read in (lambda: read_models([str(folder)]), lambda: read_sweep([f"a:1={folder}"])):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.got == str(folder / "eval.json")


def test_figures_of_different_data_are_not_drawn_side_by_side(tmp_path):
    made = [evaluation(tmp_path / data, f"m-{n}", data=data) for n, data in enumerate("ab")]
    with pytest.raises(DataError) as caught:
        bars(read_models([f"{folder.name}={folder}" for folder in made]))
    assert caught.value.got == ["a", "b"]
    with pytest.raises(DataError) as caught:
        sweep(read_sweep([f"x:1={folder}" for folder in made]))
    assert caught.value.got == ["a", "b"]


def test_benchmarks_may_stand_beside_any_data(tmp_path):
    measured = {"benchmarks": {"ifeval": benchmark(0.5)}}
    made = [evaluation(tmp_path / data, data, data=data, **measured) for data in "ab"]
    chart = bars(read_models([f"{folder.name}={folder}" for folder in made]))
    assert chart.panels[0].categories == ("a", "b")
