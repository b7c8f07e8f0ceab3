"""Files appear whole or not at all, and what is wrong in them is named with file and line."""

import json

import pytest

from uniapl_cli import files
from uniapl_cli.errors import DataError
from uniapl_cli.files import dump, read_rows, replacing, write_rows

ODD = {"text": "é\u2028\u0085\n\t東京 \U0001f600", "none": None, "deep": {"a": [1, 2.5, True]}}


def test_rows_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    assert write_rows(path, [ODD, {"b": 2}]) == 2
    rows = list(read_rows(path))
    assert [row.values for row in rows] == [ODD, {"b": 2}]
    assert [row.origin for row in rows] == [f"{path}:1", f"{path}:2"]


def test_blank_lines_count_as_lines_but_not_as_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"a": 1}\n  \n{"a": 2}')
    assert [row.origin.rpartition(":")[2] for row in read_rows(path)] == ["2", "4"]


@pytest.mark.parametrize(
    "line",
    [b'{"a": 1', b"[1]", b'"a"', b'{"a": "\xff"}', b'{"a": "\\ud83d"}', b"[" * 100_000]
    + [b'{"a": ' + b"1" * 5000 + b"}"],
    ids=["torn", "list", "text", "not UTF-8", "half a surrogate pair", "deep", "huge number"],
)
def test_a_line_that_is_no_object_is_an_error_with_its_line(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert (caught.value.file, caught.value.line) == (str(path), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ['{"a": 1, "b": 2, "a": 1}', '{"b": [{"c": {"a": 1, "a": 2}}]}'], ids=["top", "deep"]
)
def test_a_key_twice_in_an_object_is_an_error_with_its_line(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1, "b": {"a": 1}}\n' + line)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert (caught.value.line, caught.value.got) == (2, "a")


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8-sig")
    assert [row.values for row in read_rows(path)] == [{"a": 1}, {"a": 2}]


def test_rows_before_a_bad_line_are_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\xff\n')
    assert next(read_rows(path)).values == {"a": 1}


@pytest.mark.parametrize("name", ["absent.jsonl", "folder", "file/rows.jsonl"])
def test_what_is_no_file_is_an_error(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as caught:
        list(read_rows(tmp_path / name))
    assert caught.value.got == str(tmp_path / name)


def test_replacing_shows_the_new_file_only_at_the_end(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as file:
        file.write("new")
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_signal_as_soon_as_the_scratch_file_is_there_leaves_nothing(tmp_path, monkeypatch):
    def stopped(output, wait):
        output.scratch.open("a").close()
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_locked", stopped)
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "new" / "rows.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "new/folder/file"])
def test_replacing_leaves_nothing_where_there_was_nothing(tmp_path, name):
    with pytest.raises(ValueError), replacing(tmp_path / name):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file/out", "folder"])
def test_a_place_that_cannot_be_written_is_an_error_before_the_work(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as caught, replacing(tmp_path / name):
        raise AssertionError("the work had begun")
    assert caught.value.got == str(tmp_path / name)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_failing_row_leaves_the_old_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [{"a": 1}])
    with pytest.raises(TypeError):
        write_rows(path, [{"a": 2}, {"a": object()}])
    assert [row.values for row in read_rows(path)] == [{"a": 1}]


def test_a_row_is_one_line_of_readable_text():
    assert dump({"a": "é\n"}) == '{"a": "é\\n"}\n'
    assert json.loads(dump(ODD)) == ODD
