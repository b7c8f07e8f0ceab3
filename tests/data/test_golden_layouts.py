"""Rows of every layout are read as the golden files say."""

import pytest
from layout_cases import HERE, NAMED, NAMES, golden

from uniapl_cli.data import open_rows
from uniapl_cli.data.detect import detect
from uniapl_cli.data.layouts import layouts


@pytest.mark.parametrize("name", NAMES)
def test_a_row_becomes_what_its_golden_file_says(name):
    assert golden(name) == (HERE / "golden" / f"{name}.json").read_text(encoding="utf-8")


def test_every_layout_has_a_row():
    rows = {name: open_rows(str(HERE / "layouts" / f"{name}.jsonl"))[0] for name in NAMES}
    assert {detect(row) for row in rows.values()} == set(layouts) - NAMED
    assert set(rows) >= NAMED
