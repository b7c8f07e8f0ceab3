import json

import pytest

from uniapl_cli.published import claims, contradictions, repeats, table


def forget():
    for found in (
        table.table,
        repeats.mislabelled,
        claims.claims,
        contradictions.contradictions,
        contradictions.marks,
    ):
        found.cache_clear()


@pytest.fixture
def printing(tmp_path, monkeypatch):
    """printing(number, run, measure, figure): the tables with another figure there."""
    for file in table.FOLDER.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(table, "FOLDER", tmp_path)

    def change(number, run, measure, figure):
        file = tmp_path / f"table{number}.json"
        read = json.loads(file.read_text("utf-8"))
        index = [one["of"] for one in read["measures"]].index(measure)
        (mine,) = [one for one in read["runs"] if one["run"] == run]
        mine["values"][index] = figure
        file.write_text(json.dumps(read))
        forget()

    forget()
    yield change
    monkeypatch.undo()
    forget()
