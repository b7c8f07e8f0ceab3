"""Rows to filter, and a filter's run over them in this process."""

from uniapl_cli.data import BadRows, RowReader
from uniapl_cli.files import Row, read_rows
from uniapl_cli.pipelines.filter import filter_rows, judged_chunks
from uniapl_cli.runs.console import bar
from uniapl_cli.sandbox import Sandbox

COMMA, QUOTED, TITLE = "punctuation:no_comma", "startend:quotation", "detectable_format:title"


def row(key, response=None, *ids, prompt="Hi", **columns):
    values = {"key": key, "prompt": prompt, **columns}
    values |= {"instruction_id_list": list(ids), "kwargs": [{} for _ in ids]} if ids else {}
    values |= {} if response is None else {"response": response}
    return Row(f"rows.jsonl:{key}", values)


def run(rows, out, rejected=None, *, mode="strict", tolerance=0, pairs=None, **options):
    with (
        bar("filter", None) as progress,
        judged_chunks(rows, 1, RowReader("ifeval"), mode, pairs is not None, Sandbox) as chunks,
    ):
        bad = BadRows(tolerance)
        return filter_rows(chunks, out, rejected, bad, progress, pairs=pairs, **options)


def rows(path) -> dict[str, dict]:
    return {row.values["key"]: row.values for row in read_rows(path)}
