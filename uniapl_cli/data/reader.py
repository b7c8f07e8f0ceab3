"""Reads rows as examples, or as bad rows: of one layout, or each of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from uniapl_cli.chat.thinking import FIELDS, read_thoughts
from uniapl_cli.data.columns import Build, finished, identity
from uniapl_cli.data.detect import EACH, detect
from uniapl_cli.data.layouts import layouts
from uniapl_cli.data.rows import BadRow
from uniapl_cli.data.turns import LEAVE_OUT, OF_A_PART, is_blank, is_learnt, role_of
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.types import Example

# Columns that hold what no layout reads, and that people mean.
UNREAD = frozenset(
    ["images", "image", "videos", "video", "audios", "audio", "documents", "functions"]
    + ["chat_template_kwargs", "tool_calls", "function_call"]
)
# What an earlier answer of a conversation does not have.
OF_THE_LAST_ANSWER = ("response", "finish_reason", "reference", *FIELDS)


@dataclass(frozen=True)
class RowReader:
    """Reads rows of one layout, or with "each" every row by its own columns; it can be pickled.

    `ignore`: columns of rows, and fields of their turns, that are left out. `learnt`: responses
    are, so an empty one is an error. `only`: the layout is that of a data set's first row, so a row
    whose columns are of another one is a bad row.
    """

    layout: str
    ignore: tuple[str, ...] = ()
    learnt: bool = False
    only: bool = False

    def detected(self, row: Row) -> RowReader:
        """Return the reader of rows of this one's layout only. Raises DataError."""
        return replace(self, layout=detect(without(row, self.ignore)), only=True)

    def read(self, row: Row | BadRow, build: Build) -> Example | BadRow:
        """Return a row as an example, or as a bad row with its error."""
        if isinstance(row, BadRow):
            return row
        try:
            example = self._read(without(row, self.ignore), build)
        except DataError as error:
            return BadRow(row.values, error)
        return replace(example, row=row.values) if self.ignore else example

    def _layout_of(self, row: Row) -> str:
        return detect(row) if self.layout == EACH else self.layout

    def _read(self, row: Row, build: Build) -> Example:
        for name in UNREAD & row.values.keys():
            if not is_blank(row.values[name]):
                problem = f"the column '{name}' cannot be read"
                raise DataError(problem, LEAVE_OUT.format(name), where=row.origin, got=name)
        if self.only and (layout := detect(row)) != self.layout:
            raise DataError(
                f"its columns are of layout '{layout}', and those of the first row of "
                f"'{self.layout}'",
                "Set data.layout, or put rows of one layout into one file",
                where=row.origin,
                got=sorted(row.values),
                allowed=[self.layout],
            )
        example = layouts[self._layout_of(row)].definition(row, build)
        if self.learnt and example.response is not None and is_silent(example):
            problem = "the response is empty: it would teach silence"
            raise DataError(problem, "Leave the row out", where=row.origin, got=example.response)
        return example if finished(row, example) else replace(example, finished=False)

    def read_every_turn(self, row: Row | BadRow, build: Build) -> list[Example] | BadRow:
        """Return an example for each assistant's turn that is to be learnt, or a bad row.

        Each has the turns before its own as its prompt, and the last one the row's constraints.
        Several are named KEY#1, KEY#2 ...
        """
        if isinstance(row, BadRow):
            return row
        try:
            parts = self._parts(row)
        except DataError as error:
            return BadRow(row.values, error)
        examples = []
        for number, part in enumerate(parts, 1):
            example = self.read(part, build)
            if isinstance(example, BadRow):
                return BadRow(row.values, example.error)
            name = f"{example.id}#{number}" if len(parts) > 1 else example.id
            constraints = example.constraints if part is row else ()
            examples.append(replace(example, id=name, constraints=constraints, row=row.values))
        return examples

    def _parts(self, row: Row) -> list[Row]:
        """Return the row as rows that end with an answer to learn; itself for its last answer."""
        read = without(row, self.ignore)
        column: str = layouts[self._layout_of(read)].traits.get("turns", "")
        values = read.values
        turns = values.get(column)
        if not isinstance(turns, list):
            return [row]
        learnt = learnt_turns(Row(row.origin, values), column, turns)
        last = len(turns) - 1
        parts = [
            Row(row.origin, {**_of_an_earlier_answer(row), column: row.values[column][: i + 1]})
            for i in learnt
            if i < last
        ]
        waits = role_of(turns[-1]) != "assistant" and not is_blank(values.get("response"))
        return [*parts, row] if last in learnt or waits or not parts else parts


def is_silent(example: Example) -> bool:
    """Whether a response has neither text, nor thoughts, nor fields such as tool_calls."""
    thoughts = read_thoughts(example.response or "")
    return not (thoughts.answer.strip() or thoughts.reasoning or example.response_fields)


def _of_an_earlier_answer(row: Row) -> dict[str, Any]:
    """Return a row without what belongs to its last answer, under its own key."""
    values = {n: v for n, v in row.values.items() if n not in OF_THE_LAST_ANSWER}
    return {**values, "key": identity(row)}


def learnt_turns(row: Row, column: str, turns: Sequence[Any]) -> list[int]:
    """Return the indices of the assistant's turns, but for those marked as not to be learnt."""
    return [
        index
        for index, turn in enumerate(turns)
        if role_of(turn) == "assistant" and is_learnt(row, f"{column}[{index}]", turn)
    ]


def without(row: Row, ignore: Collection[str]) -> Row:
    """Return a row without the columns, and without the fields of turns, of these names."""
    if not ignore:
        return row
    columns = {name: value for name, value in row.values.items() if name not in ignore}
    return Row(row.origin, {name: _without_fields(v, ignore) for name, v in columns.items()})


def _without_fields(column: Any, ignore: Collection[str]) -> Any:
    if not isinstance(column, list) or not all(role_of(turn) for turn in column):
        return column
    turns = [{n: value for n, value in turn.items() if n not in ignore} for turn in column]
    return [_without_fields_of_parts(turn, ignore) for turn in turns]


def _without_fields_of_parts(turn: dict[str, Any], ignore: Collection[str]) -> dict[str, Any]:
    parts = turn.get("content")
    if not isinstance(parts, list):
        return turn
    left_out = set(ignore) - set(OF_A_PART)
    return {
        **turn,
        "content": [
            {n: value for n, value in part.items() if n not in left_out}
            if isinstance(part, dict)
            else part
            for part in parts
        ],
    }
