"""The tables as data are those of the paper."""

from __future__ import annotations

from decimal import Decimal

import pytest
from printed import FIGURE, PAPER, printed

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.scores import AVERAGE, means
from uniapl_cli.published.table import NUMBERS, detailed, summaries, table, tables

# How many figures the paper's table has, and their sum.
SUMS = {
    2: (96, "5257.97"),
    3: (36, "1993.07"),
    4: (24, "1166.42"),
    5: (18, "856.63"),
    6: (24, "1125.06"),
    7: (104, "4309.42"),
    8: (104, "6763.30"),
    9: (78, "4228.50"),
    10: (78, "3546.18"),
    11: (78, "3454.53"),
    12: (91, "4209.56"),
}


@pytest.mark.shared
@pytest.mark.skipif(not PAPER.exists(), reason="shared/paper is not here")
@pytest.mark.parametrize("number", NUMBERS)
def test_every_figure_is_the_papers(number):
    one = table(number)
    mine = [list(run.values.values()) for run in one.runs]
    rows = printed(number)
    assert (list(map(list, zip(*mine, strict=True))) if one.by_column else mine) == rows


@pytest.mark.parametrize("number", NUMBERS)
def test_counts_and_sums(number):
    figures = [value for run in table(number).runs for value in run.values.values()]
    assert all(map(FIGURE.fullmatch, figures))
    assert (len(figures), str(sum(map(Decimal, figures)))) == SUMS[number]


def test_columns_are_means_or_benchmarks_of_the_registry():
    assert [one.number for one in summaries()] == [2, 3, 4, 5, 6]
    twelve = set(means()[AVERAGE])
    for one in summaries():
        assert {measure.of for measure in one.measures} == means().keys()
    for one in detailed():
        assert {measure.of for measure in one.measures} == twelve | {AVERAGE}
    assert twelve <= set(benchmarks) and len(twelve) == 12


def test_a_run_is_one_model_and_method_in_all_tables():
    found = {}
    for one in tables():
        assert len({run.run for run in one.runs}) == len(one.runs)
        assert len({one.named(run.run) for run in one.runs}) == len(one.runs)
        for run in one.runs:
            told = (run.model, run.method, run.imitates, run.compares, run.weight)
            assert found.setdefault(run.run, told) == told
    assert len(found) == 38


@pytest.mark.parametrize("number", [1, 13, 0, -2])
def test_another_table_is_refused(number):
    with pytest.raises(DataError) as caught:
        table(number)
    assert (caught.value.got, caught.value.allowed) == (number, tuple(map(str, NUMBERS)))
