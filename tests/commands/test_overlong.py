"""Responses that are longer than the limit, in a whole run."""

import json

import pytest

from uniapl_cli.commands.train import train
from uniapl_cli.errors import DataError
from uniapl_cli.files import write_rows


def test_a_run_learns_from_the_heads_of_long_responses(tiny_config, tiny_data, tmp_path, logged):
    rows = [json.loads(line) for line in tiny_data["eight"].read_text().splitlines()]
    for row in rows:
        row["response"] *= 40
    write_rows(tmp_path / "rows.jsonl", rows)
    long = f"data.demonstrations={tmp_path / 'rows.jsonl'}"
    limit = "data.max_response_tokens=20"
    with pytest.raises(DataError) as caught:
        train(tiny_config("sft", "dropped", long, limit, "data.overlong=drop"))
    assert (caught.value.line, caught.value.key) == (1, "data.max_response_tokens")
    train(tiny_config("sft", "cut", long, limit, "data.overlong=truncate"))
    lengths = [line["demonstrations/completions/mean_length"] for line in logged(tmp_path / "cut")]
    assert lengths == [20.0] * 4
