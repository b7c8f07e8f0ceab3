"""The page's figures: of runs that have logged something, drawn without styles, ids apart."""

import re

import pytest
from small_study import write_lines

from uniapl_cli.errors import DataError
from uniapl_cli.pages.figures import figures
from uniapl_cli.pages.page import make_page
from uniapl_cli.pages.study import read_study


def test_training_curves_of_all_runs_are_one_figure(study):
    (figure,) = figures(study)
    assert "unified (2 seeds)" in figure and "sft" in figure
    assert "style=" not in figure and "<style" not in figure and "<script" not in figure


def test_ids_of_the_whole_page_are_each_one(study):
    found = re.findall(r'\bid="([^"]+)"', make_page(study).text)
    assert len(found) == len(set(found))


def test_a_run_that_has_logged_nothing_yet_is_left_out(folder):
    (folder / "sft" / "metrics.jsonl").write_text('{"version": 2, "st')
    assert "unified" in figures(read_study(folder))[0]
    for name in ("unified-0", "unified-1"):
        (folder / name / "metrics.jsonl").write_text("")
    assert figures(read_study(folder)) == []
    (folder / "sft" / "metrics.jsonl").unlink()
    assert figures(read_study(folder)) == []


@pytest.mark.parametrize(
    "row", [{"version": 1, "step": 1}, {"version": 2, "step": "one"}, {"version": 2, "step": 1}]
)
def test_metrics_that_cannot_be_read_are_named(folder, row):
    file = folder / "sft" / "metrics.jsonl"
    write_lines(file, [{"version": 2, "step": 1}, row])
    with pytest.raises(DataError) as caught:
        figures(read_study(folder))
    assert str(file) in (caught.value.where or "")
