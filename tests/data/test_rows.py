"""Rows stay where they are: the same from every kind of file, in any order, any number of times."""

import json

import datasets
import pytest

from uniapl_cli.data import open_rows
from uniapl_cli.errors import DataError

VALUES = [{"prompt": f"p{n}", "kwargs": [{"n": n}], "é": None} for n in range(5)]


def jsonl(folder):
    path = folder / "rows.jsonl"
    path.write_text("\n\n".join(json.dumps(value, ensure_ascii=False) for value in VALUES))
    return path


def array(folder):
    path = folder / "rows.json"
    path.write_text(json.dumps(VALUES))
    return path


def parquet(folder):
    path = folder / "rows.parquet"
    datasets.Dataset.from_list(VALUES).to_parquet(str(path))
    return path


def saved(folder):
    path = folder / "saved"
    datasets.DatasetDict({"train": datasets.Dataset.from_list(VALUES)}).save_to_disk(str(path))
    return path


@pytest.mark.parametrize("make", [jsonl, array, parquet, saved])
def test_each_kind_of_file_holds_the_same_rows(make, tmp_path):
    rows = open_rows(str(make(tmp_path)))
    assert [row.values for row in rows] == VALUES
    assert rows[-1] == rows[4] and [row.values for row in rows[1:3]] == VALUES[1:3]
    with pytest.raises(IndexError):
        rows[5]


def test_lines_are_told_by_their_number_in_the_file(tmp_path):
    path = jsonl(tmp_path)
    assert [row.origin for row in open_rows(str(path))] == [f"{path}:{n}" for n in (1, 3, 5, 7, 9)]


def test_a_bad_line_is_told_when_it_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    rows = open_rows(str(path))
    assert (rows[0].values, rows[2].values) == ({"a": 1}, {"a": 3})
    with pytest.raises(DataError) as caught:
        rows[1]
    assert caught.value.where == f"{path}:2"


def test_a_bad_row_without_lines_is_told_by_its_place(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('[{"a": 1}, 5]')
    with pytest.raises(DataError) as caught:
        open_rows(str(path))[1]
    assert (caught.value.file, caught.value.line, caught.value.got) == (str(path), 1, 5)


@pytest.mark.parametrize(
    "name",
    ["absent.jsonl", "absent.json", "absent.parquet", "object.json", "torn.json", "torn.parquet"]
    + ["folder"],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "torn.json").write_text("[{")
    (tmp_path / "torn.parquet").write_text("PAR1")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as caught:
        open_rows(name)
    assert caught.value.got == name
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused_with_those_that_are_read(tmp_path):
    (tmp_path / "rows.jsnl").touch()
    with pytest.raises(DataError) as caught:
        open_rows(str(tmp_path / "rows.jsnl"))
    assert (caught.value.got, caught.value.suggestion) == (".jsnl", ".jsonl")
    assert {".json", ".jsonl", ".jsonl.gz", ".parquet", ".csv"} <= set(caught.value.allowed)


def test_a_missing_split_is_told_with_those_there_are(tmp_path):
    with pytest.raises(DataError) as caught:
        open_rows(str(saved(tmp_path)), "test")
    assert (caught.value.got, caught.value.allowed) == ("test", ("train",))
