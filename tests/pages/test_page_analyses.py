"""Analyses are tables on the page; one that is not whole is named."""

import pytest
from small_study import write_analysis

from uniapl_cli.errors import DataError
from uniapl_cli.pages.analyses import analyses
from uniapl_cli.pages.configs import provenance
from uniapl_cli.pages.study import read_study


def test_an_analysis_is_a_table(study):
    (table,) = analyses(study.analyses)
    assert "on 3 prompts" in table
    assert "1.50 (0.50 to 2.50)" in table
    assert table.count("<tr>") == 4  # the head, two models, the teacher


def test_several_of_a_kind_have_their_folders(tmp_path):
    for name in ("early", "late"):
        write_analysis(tmp_path / name)
    first, second = analyses(read_study(tmp_path).analyses)
    assert "(early)" in first and "(late)" in second


def test_what_made_it_is_said(study):
    made = "".join(provenance(study))
    assert "# analyse lengths\nuniapl analyse lengths" in made
    assert "tiny:base" in made and "feed" in made


HUGE = {"lengths": [1], "mean": 10**400, "cut": 0.0}


@pytest.mark.parametrize(
    "part", [{"models": {"a": {}}}, {"prompts": [], "teacher": 1}, {"teacher": HUGE}]
)
def test_one_that_is_not_whole_is_named(tmp_path, part):
    write_analysis(tmp_path, **part)
    with pytest.raises(DataError) as caught:
        analyses(read_study(tmp_path).analyses)
    assert caught.value.got == str(tmp_path / "lengths.json")
