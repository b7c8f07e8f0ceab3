import json
from collections.abc import Callable
from typing import Any

import pytest

from uniapl_cli.data import read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.types import Example
from uniapl_cli.verifiers import constraints


@pytest.fixture
def read(tmp_path) -> Callable[..., Example]:
    """read(layout, **columns): the one Example of a file with one row, at rows.jsonl:1."""

    def one(layout: str, **columns: Any) -> Example:
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(columns) + "\n", encoding="utf-8")
        (example,) = read_examples(path, layout, constraints)
        return example

    return one


@pytest.fixture
def refused(read, tmp_path) -> Callable[..., str]:
    """refused(layout, **columns): the message of the DataError, after its file and line."""

    def message(layout: str, **columns: Any) -> str:
        with pytest.raises(DataError) as caught:
            read(layout, **columns)
        where, text = f"{tmp_path / 'rows.jsonl'}:1: ", str(caught.value)
        assert text.startswith(where)
        assert "\n" not in text
        return text.removeprefix(where)

    return message
