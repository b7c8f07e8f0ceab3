import json
from collections.abc import Callable
from typing import Any

import pytest

from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.types import Example
from uniapl_cli.verifiers import constraints


@pytest.fixture(scope="session")
def read_all() -> Callable[..., list[Example]]:
    """read_all(path, layout): the examples of a file without bad rows."""
    return lambda path, layout: read_examples(open_rows(str(path)), layout, constraints, BadRows(0))


@pytest.fixture
def read(tmp_path, read_all) -> Callable[..., Example]:
    """read(layout, **columns): the one Example of a file with one row, at rows.jsonl:1."""

    def one(layout: str, **columns: Any) -> Example:
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(columns) + "\n", encoding="utf-8")
        (example,) = read_all(path, layout)
        return example

    return one


@pytest.fixture
def refused(read, tmp_path) -> Callable[..., DataError]:
    """refused(layout, **columns): the DataError, of one line, with its file and line."""

    def error(layout: str, **columns: Any) -> DataError:
        with pytest.raises(DataError) as caught:
            read(layout, **columns)
        assert (caught.value.file, caught.value.line) == (str(tmp_path / "rows.jsonl"), 1)
        assert "\n" not in str(caught.value)
        return caught.value

    return error
