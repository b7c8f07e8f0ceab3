"""Figures 3 and 4: kernel densities against closed forms, and what is drawn of analyses."""

import json
import math
import statistics

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.figures.analyses import read_analysis
from uniapl_cli.figures.density import bandwidth, density
from uniapl_cli.figures.distributions import LEAST_A_TOKEN, lengths, logprobs

VALUES = [3.0, 3.5, 7.0, 20.0, 21.0]


def gauss(x, mean, width):
    return statistics.NormalDist(mean, width).pdf(x)


def test_the_bandwidth_is_in_proportion_to_the_values():
    width = bandwidth(VALUES, 9.0)
    assert bandwidth([v / 1000 for v in VALUES], 9.0) == pytest.approx(width / 1000)
    for alike in ([4.0], [0.1] * 7, [0.0] * 3):
        assert bandwidth(alike, 9.0) == 9.0


def integral(places, found):
    pairs = zip(
        zip(places, places[1:], strict=False), zip(found, found[1:], strict=False), strict=True
    )
    return sum((b - a) * (y + z) / 2 for (a, b), (y, z) in pairs)


def grid(low, high, n=4001):
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def test_a_density_is_the_mean_of_normal_densities():
    places = grid(-5, 30, 50)
    width = bandwidth(VALUES, 0.1)
    assert width == pytest.approx(statistics.stdev(VALUES) * 5 ** (-1 / 5))
    expected = [statistics.fmean(gauss(x, v, width) for v in VALUES) for x in places]
    assert density(VALUES, places, width) == pytest.approx(expected)


@pytest.mark.parametrize("values", [VALUES, [4.0], [2.0] * 9, [0.1 * i for i in range(5000)]])
def test_a_density_integrates_to_1(values):
    width = bandwidth(values, 0.3)
    places = grid(min(values) - 8 * width, max(values) + 8 * width, 500)
    assert integral(places, density(values, places, width)) == pytest.approx(1, abs=1e-4)


def test_what_would_lie_below_the_floor_is_reflected():
    width = bandwidth(VALUES, 0.3)
    places = grid(0, 21 + 8 * width)
    assert integral(places, density(VALUES, places, width, floor=0.0)) == pytest.approx(1)
    assert density(VALUES, [-3.0, -0.01], width, floor=0.0) == (0, 0)
    assert density([0.0], [0.0], 1.0, floor=0.0)[0] == pytest.approx(2 * gauss(0, 0, 1))


@pytest.fixture
def write(tmp_path):
    def write(**result):
        (tmp_path / f"{result['kind']}.json").write_text(json.dumps({"version": 1, **result}))
        return read_analysis(tmp_path, result["kind"])

    return write


def of_lengths(**models):
    return {
        "kind": "lengths",
        "prompts": 3,
        "unit": "tokens",
        "teacher": {"lengths": [10, 20, 30]},
        "models": {
            name: {"lengths": mine, "wasserstein": {"value": 5.0, "low": 2.0, "high": 9.0}}
            for name, mine in models.items()
        },
    }


def test_the_teachers_lengths_stand_out_and_distances_have_intervals(write):
    chart = lengths(write(**of_lengths(sft=[10, 20, 33], teacher=[1, 1, 1])))
    curves, distances = chart.panels
    assert [(one.name, one.ink) for one in curves.series] == [
        ("the teacher", True),
        ("sft", False),
        ("teacher", False),
    ]
    assert "20.0" in curves.series[0].label
    assert distances.categories == ("sft", "teacher")
    assert [(one.x, one.low, one.high) for one in distances.series] == [
        ((5.0,), (2.0,), (9.0,))
    ] * 2
    for one in curves.series:
        assert min(one.x) >= 0 and integral(one.x, one.y) == pytest.approx(1, abs=0.02)


def of_logprobs(student, teacher, tokens):
    means = {"mean": -3.0, "low": -4.0, "high": -2.0}
    model = {"student": student, "teacher": teacher, "tokens": tokens, "difference": means}
    per_token = {"mean": -0.5, "low": -0.6, "high": -0.4}
    return {
        "kind": "logprobs",
        "responses": "rows",
        "prompts": len(student),
        "models": {"grpo": {**model, "per_token": per_token}},
    }


def test_differences_are_the_students_less_the_teachers(write):
    analysis = write(**of_logprobs([-10.0, -20.0, -31.0], [-5.0, -10.0, -15.0], [5, 10, 16]))
    total, mean = logprobs(analysis).panels
    (curve,) = total.series
    width = bandwidth([-5.0, -10.0, -16.0], 0.3)
    assert curve.y == pytest.approx(density([-5.0, -10.0, -16.0], curve.x, width))
    assert (mean.series[0].x, mean.series[0].low, mean.series[0].high) == (
        (-3.0,),
        (-4.0,),
        (-2.0,),
    )
    assert (total.zero, mean.zero) == ("x", "x")
    (curve,) = logprobs(analysis, per_token=True).panels[0].series
    assert curve.x[0] < -1.0 < curve.x[-1]
    assert curve.y == pytest.approx(density([-1.0] * 3, curve.x, LEAST_A_TOKEN))


def test_a_few_far_values_do_not_hide_the_rest_and_are_counted(write):
    student = [-float(i % 7) for i in range(400)] + [-5000.0]
    chart = logprobs(write(**of_logprobs(student, [0.0] * 401, [1] * 401)))
    assert "1 of 401 lie beyond" in chart.note
    assert chart.panels[0].x_range[0] > -2000
    infinite = logprobs(write(**of_logprobs([-1.0, math.inf, -3.0], [0.0] * 3, [1] * 3)))
    assert "1 of 3 are no finite" in infinite.note


def test_what_is_no_analysis_is_refused_in_one_line(tmp_path, write):
    for text in ("", "[1]", '{"kind": 3}', "{" * 2000, "\xff"):
        (tmp_path / "a.json").write_text(text, "latin-1")
        with pytest.raises(DataError) as caught:
            read_analysis(tmp_path / "a.json", "lengths")
        assert caught.value.allowed == ("lengths",) and "\n" not in str(caught.value)
    write(**of_lengths(a=[1]))
    with pytest.raises(DataError) as caught:
        read_analysis(tmp_path / "lengths.json", "logprobs")
    assert (caught.value.got, caught.value.allowed) == ("lengths", ("logprobs",))
    with pytest.raises(DataError):
        read_analysis(tmp_path / "absent", "lengths")
    (tmp_path / "lengths.json").write_text('{"kind": "lengths", "version": 9}')
    with pytest.raises(DataError) as caught:
        read_analysis(tmp_path, "lengths")
    assert (caught.value.got, caught.value.allowed) == (9, ("1",))
    for broken in ({}, {"m": {}}, {"m": {"lengths": 3}}, [1]):
        found = write(**{**of_lengths(), "models": broken})
        with pytest.raises(DataError) as caught:
            lengths(found)
        assert caught.value.got[0] == "models"
