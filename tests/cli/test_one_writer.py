"""Two processes never write one file: the second is told so in a line."""

import pytest

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.files import replacing


@pytest.mark.parametrize(("verb", "out"), [("score", "scored"), ("teacher-gen", "out")])
def test_a_file_that_another_process_writes_is_refused(uniapl, folder, verb, out):
    path = folder / f"{out}.jsonl"
    with AppendOnlyRows(path, {}, "an.out") as file:
        file.append([{"a": 1}])
        result = uniapl(verb)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert path.name in result.stderr
    assert path.read_text() == '{"a": 1}\n'


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("filter-gt", "kept.jsonl"),
        ("filter-gt filter.rejected=r.jsonl", "r.jsonl"),
        ("filter-gt filter.pairs=p.jsonl", "p.jsonl"),
        ("eval", "ev/responses.jsonl"),
    ],
)
def test_a_file_that_another_process_replaces_is_refused(uniapl, folder, command, name):
    path = folder / name
    with replacing(path) as file:
        file.write("first")
        result = uniapl(command)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert path.name in result.stderr
    assert path.read_text() == "first"
    assert [p for p in folder.rglob("*.jsonl") if p.stat().st_size == 0] == []
