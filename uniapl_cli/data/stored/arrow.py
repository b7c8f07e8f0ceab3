"""The two Arrow files of an entry: good rows as JSON text, and the token ids of their examples."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uniapl_cli.data.encode import Encoded, Ids, Part
from uniapl_cli.data.examples import ExampleReader
from uniapl_cli.data.indexed import Indexed
from uniapl_cli.data.rows import BadRow
from uniapl_cli.files import Row
from uniapl_cli.types import Example

PARTS: tuple[Part, ...] = ("prompt", "response", "rejected")
# Rows that are written together.
BATCH = 1024


class Unstorable(Exception):
    """A value that JSON does not give back as it was, such as a date of a table."""


def as_json(value: Any) -> str:
    """Return a value as the JSON text that is read as the same value. Raises Unstorable."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        same = repr(json.loads(text)) == repr(value)  # tells a tuple from a list, takes NaN as NaN
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unstorable(str(error)) from None
    if not same:
        raise Unstorable("JSON has other types")
    return text


class Writer:
    """Writes an Arrow file, a batch of columns at a time. Raises OSError."""

    def __init__(self, path: Path, columns: Sequence[str], *, ids: bool) -> None:
        import pyarrow

        own = pyarrow.large_list(pyarrow.int32()) if ids else pyarrow.large_string()
        fields = [(name, own) for name in columns]
        self.schema = pyarrow.schema([*fields, ("number", pyarrow.int64())])
        self.file = path.open("wb", buffering=0)  # closing it writes nothing
        self.writer = pyarrow.ipc.new_file(self.file, self.schema)

    def write(self, columns: Sequence[Any]) -> None:
        """Write some rows; the last column is their numbers."""
        import pyarrow

        self.writer.write_batch(pyarrow.record_batch(list(columns), schema=self.schema))

    def close(self) -> None:
        """Write the end of the file."""
        self.writer.close()
        self.file.close()


class RowWriter:
    """Writes good rows, each with the number of examples that it gives."""

    def __init__(self, path: Path) -> None:
        self.file = Writer(path, ("origin", "row"), ids=False)
        self.waiting: list[tuple[str, str, int]] = []

    def add(self, row: Row, examples: int) -> None:
        """Take a row. Raises Unstorable and OSError."""
        self.waiting.append((row.origin, as_json(row.values), examples))
        if len(self.waiting) == BATCH:
            self._write()

    def _write(self) -> None:
        if self.waiting:
            self.file.write([list(column) for column in zip(*self.waiting, strict=True)])
        self.waiting = []

    def close(self) -> None:
        """Write what is waiting, and the end."""
        self._write()
        self.file.close()


class ItemWriter:
    """Writes the token ids of examples, each with the example's index."""

    def __init__(self, path: Path) -> None:
        self.file = Writer(path, PARTS, ids=True)

    def add(self, items: Sequence[Encoded], indices: Sequence[int]) -> None:
        """Write some items. Raises OSError."""
        columns = [_lists([getattr(item, part) for item in items]) for part in PARTS]
        self.file.write([*columns, list(indices)])

    def close(self) -> None:
        """Write the end."""
        self.file.close()


def _lists(ids: Sequence[Ids[int] | None]) -> Any:
    """Return a column of lists of token ids."""
    import pyarrow

    ends = np.cumsum([0, *(len(one or ()) for one in ids)], dtype=np.int64)
    flat = np.frombuffer(b"".join(one.tobytes() for one in ids if one is not None), np.int32)
    return pyarrow.LargeListArray.from_arrays(
        pyarrow.array(ends), pyarrow.array(flat), mask=pyarrow.array([one is None for one in ids])
    )


def _mapped(path: Path) -> Any:
    """Return the table of an Arrow file, mapped."""
    import pyarrow

    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


class StoredExamples(Indexed[Example]):
    """The examples of stored rows; `reader` knows their layout."""

    def __init__(self, path: Path, reader: ExampleReader) -> None:
        self.table, self.reader = _mapped(path), reader
        # Where each row's examples end.
        self.ends = np.cumsum(self.table["number"].to_numpy())
        self._last: tuple[int, list[Example]] = (-1, [])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def read(self, index: int) -> Example:
        """Read a row, and return the one of its examples."""
        place = int(np.searchsorted(self.ends, index, side="right"))
        row, examples = self._last
        if row != place:
            text, origin = self.table["row"][place].as_py(), self.table["origin"][place].as_py()
            examples = self._examples(text, origin)
            self._last = place, examples  # the next index is often of the same row
        return examples[index - int(self.ends[place])]

    def _examples(self, text: str, origin: str) -> list[Example]:
        examples = self.reader.read(Row(origin, json.loads(text)))
        assert not isinstance(examples, BadRow), f"{origin} was good when it was stored"
        return examples

    def __iter__(self) -> Iterator[Example]:
        for batch in self.table.to_batches():
            texts, origins = batch["row"].to_pylist(), batch["origin"].to_pylist()
            for text, origin in zip(texts, origins, strict=True):
                yield from self._examples(text, origin)


class StoredItems(Indexed[Encoded]):
    """Stored token ids with their examples. `keep`: what is to live as long as they do."""

    def __init__(self, path: Path, examples: StoredExamples, keep: object = None) -> None:
        self.table, self.examples, self.keep = _mapped(path), examples, keep

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def read(self, index: int) -> Encoded:
        """Return an example with its ids."""
        ids = {part: _ids(self.table[part][index]) for part in PARTS}
        return Encoded(self.examples[self.table["number"][index].as_py()], **ids)

    def lengths(self, part: Part) -> list[int | None]:
        """Return the tokens of a part of each item, as `encode.lengths` does."""
        from pyarrow.compute import list_value_length

        return list_value_length(self.table[part]).to_pylist()


def _ids(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    ids = array("i")
    ids.frombytes(scalar.values.to_numpy().tobytes())
    return ids
