"""Two processes never write one file: the second is told so in a line."""

import pytest

from uniapl_cli.appending import AppendOnlyRows


@pytest.mark.parametrize(("verb", "out"), [("score", "scored"), ("teacher-gen", "out")])
def test_a_file_that_another_process_writes_is_refused(uniapl, folder, verb, out):
    path = folder / f"{out}.jsonl"
    with AppendOnlyRows(path, {}, "an.out") as file:
        file.append([{"a": 1}])
        result = uniapl(verb)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert path.name in result.stderr
    assert path.read_text() == '{"a": 1}\n'
