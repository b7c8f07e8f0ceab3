"""Rows are appended by one process at a time, and an interrupted file is gone on with."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from uniapl_cli import appending
from uniapl_cli.appending import AppendOnlyRows, check_appended, cut_torn_line
from uniapl_cli.errors import DataError
from uniapl_cli.files import dump, read_rows

PROVENANCE = {"model": "x", "seed": 0}
ODD = {"text": "é\u2028\u0085\n\t東京 \U0001f600", "none": None, "deep": {"a": [1, 2.5, True]}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "rows.jsonl"


@pytest.fixture
def opened(path):
    """opened(provenance): the file of rows, still to be entered."""
    return lambda provenance=PROVENANCE: AppendOnlyRows(path, provenance, "score.out")


def rows(path):
    return [row.values for row in read_rows(path)]


def test_appended_rows_follow_those_of_earlier_runs(opened, path):
    with opened() as file:
        file.append([{"a": 1}])
    with opened() as file:
        assert [row.values for row in file.rows()] == [{"a": 1}]
        file.append([{"a": 2}, ODD])
    assert rows(path) == [{"a": 1}, {"a": 2}, ODD]
    assert json.loads(path.with_name("rows.jsonl.meta.json").read_text()) == PROVENANCE


def test_added_rows_are_written_in_batches_and_when_the_block_ends(opened, path, monkeypatch):
    monkeypatch.setattr(appending, "BATCH_ROWS", 2)
    on_disk = []
    with pytest.raises(KeyboardInterrupt), opened() as file:
        for number in range(3):
            file.add({"a": number})
            on_disk.append(len(rows(path)))
        raise KeyboardInterrupt
    assert on_disk == [0, 2, 2]
    assert rows(path) == [{"a": 0}, {"a": 1}, {"a": 2}]


def test_a_row_does_not_wait_longer_than_a_batch_may_take(opened, path, monkeypatch):
    monkeypatch.setattr(appending, "BATCH_SECONDS", 0.0)
    with opened() as file:
        file.add({"a": 0})
        assert rows(path) == [{"a": 0}]


def test_where_no_row_is_written_there_is_no_file(opened, path):
    with opened():
        assert path.exists()
    assert list(path.parent.iterdir()) == []


def test_rows_of_another_provenance_are_refused_and_left_alone(opened, path):
    with opened() as file:
        file.append([{"a": 1}])
    before = path.read_bytes() + b'{"torn'
    path.write_bytes(before)
    with pytest.raises(DataError) as caught, opened({**PROVENANCE, "seed": 1}):
        raise AssertionError("the block has begun")
    assert caught.value.got == str(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("record", [None, "", "{", "\0", "[" * 100_000, "folder"])
def test_rows_without_a_provenance_are_refused_and_left_alone(opened, path, record):
    path.parent.mkdir()
    path.write_text('{"a": 1}\n')
    if record == "folder":
        path.with_name("rows.jsonl.meta.json").mkdir()
    elif record is not None:
        path.with_name("rows.jsonl.meta.json").write_text(record)
    with pytest.raises(DataError) as caught, opened():
        raise AssertionError("the block has begun")
    assert caught.value.got == str(path)
    assert path.read_text() == '{"a": 1}\n'


def test_an_empty_file_takes_any_provenance(opened, path):
    path.parent.mkdir()
    path.touch()
    path.with_name("rows.jsonl.meta.json").write_text('{"model": "y"}')
    with opened() as file:
        file.append([{"a": 1}])
    assert json.loads(file.record.read_text()) == PROVENANCE


def test_only_one_at_a_time_may_write(opened, path):
    with opened() as file:
        file.append([{"a": 1}])
        with pytest.raises(DataError) as caught, opened():
            raise AssertionError("the block has begun")
        file.append([{"a": 2}])
    assert caught.value.got == str(path)
    assert rows(path) == [{"a": 1}, {"a": 2}]
    with opened() as file:
        file.append([{"a": 3}])
    assert len(rows(path)) == 3


def test_another_process_is_kept_out_until_the_first_is_killed(opened, path):
    code = (
        "import sys, time; from pathlib import Path;"
        "from uniapl_cli.appending import AppendOnlyRows;"
        f"file = AppendOnlyRows(Path({str(path)!r}), {PROVENANCE!r}, 'score.out').__enter__();"
        "file.append([{'a': 1}]); print('locked', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"locked\n"
            with pytest.raises(DataError), opened():
                raise AssertionError("the block has begun")
        finally:
            process.kill()
            process.wait()
    with opened() as file:
        file.append([{"a": 2}])
    assert rows(path) == [{"a": 1}, {"a": 2}]


def test_a_file_replaced_by_whoever_had_the_lock_is_opened_anew(opened, path, monkeypatch):
    """A lock on a file that is no longer at the path would keep nobody out."""
    with opened() as file:
        file.append([{"a": 1}])
    flock, replacements = appending.fcntl.flock, [path.read_bytes() + b'{"a": 2}\n']

    def replace_then_lock(file, how):
        if replacements:
            path.with_name("other").write_bytes(replacements.pop())
            path.with_name("other").replace(path)
        flock(file, how)

    monkeypatch.setattr(appending.fcntl, "flock", replace_then_lock)
    with opened() as file:
        file.append([{"a": 3}])
    assert rows(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_what_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "rows.jsonl"
    with pytest.raises(DataError) as caught, AppendOnlyRows(path, PROVENANCE, "score.out"):
        raise AssertionError("the block has begun")
    assert caught.value.got == str(path)


def test_of_rows_that_do_not_fit_the_whole_ones_are_kept(path):
    code = (
        "import sys, resource; from pathlib import Path;"
        "from uniapl_cli.appending import AppendOnlyRows, OutputError\n"
        "try:\n"
        "    with AppendOnlyRows(Path(sys.argv[1]), {}, 'score.out') as file:\n"
        "        file.append([{'a': 0}])\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))\n"
        "        file.append([{'a': 'x' * 20}, {'a': 'y' * 20}])\n"
        "except OutputError as error: print(error.advice)"
    )
    command = [sys.executable, "-c", code, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "goes on from the 2 rows" in result.stdout
    assert rows(path) == [{"a": 0}, {"a": "x" * 20}]
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
def test_a_line_torn_anywhere_is_cut_off(opened, path, monkeypatch, block):
    monkeypatch.setattr(appending, "BLOCK", block)
    with opened() as file:
        file.append([{"a": 1}])
    whole, torn = path.read_bytes(), dump(ODD).encode()
    for length in range(len(torn)):
        path.write_bytes(whole + torn[:length])
        with opened() as file:
            assert [row.values for row in file.rows()] == [{"a": 1}]
        assert path.read_bytes() == whole


def test_a_file_of_one_torn_line_becomes_empty(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": ')
    with closing(path.open("r+b", buffering=0)) as file:
        assert cut_torn_line(file)
        assert not cut_torn_line(file)
    assert path.read_bytes() == b""


def test_a_record_that_could_not_be_read_back_is_refused_before_any_row(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl.meta.json")
    with pytest.raises(DataError) as caught:
        check_appended(str(tmp_path / "rows.jsonl"))
    assert caught.value.got == str(tmp_path / "rows.jsonl.meta.json")
