"""Rows longer than the limits: an error, left out, or cut, and always counted."""

import json
import logging
from dataclasses import replace

import pytest

from uniapl_cli.build import data
from uniapl_cli.build.training import train
from uniapl_cli.chat import Chat
from uniapl_cli.errors import DataError
from uniapl_cli.files import write_rows
from uniapl_cli.types import Message

LIMITS = data.Limits(prompt=100, response=50, answer=0, context=120)
ASK = "Write about the harbour."


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def fitted(chat, tiny_config, tmp_path, caplog):
    """fitted(rows, overlong, limits): the places of the rows that stay, and what was said."""

    def fit(rows, overlong, limits=LIMITS, answers=("response",)):
        write_rows(tmp_path / "rows.jsonl", rows)
        given = data.examples(tiny_config("sft", "run"), str(tmp_path / "rows.jsonl"))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "uniapl"):
            kept = data.fitting(chat, given, limits, overlong, answers=answers)
        return list(kept.places), [record.getMessage() for record in caplog.records]

    return fit


@pytest.fixture
def rows():
    """Of four rows: the second has too long a response, the third too long a prompt."""
    texts = [(ASK, "Old."), (ASK, "harbour " * 60), (ASK * 60, "Old."), (ASK, "Calm.")]
    return [{"prompt": prompt, "response": response} for prompt, response in texts]


def test_rows_that_fit_stay_and_nothing_is_said(fitted, rows):
    for overlong in ("error", "drop", "truncate"):
        assert fitted([rows[0], rows[3]], overlong) == ([0, 1], [])


def test_the_first_row_that_does_not_fit_is_an_error_that_says_what_to_type(fitted, rows):
    with pytest.raises(DataError, match="rows.jsonl:2: the response has .*overlong=drop or trunc"):
        fitted(rows, "error")
    with pytest.raises(DataError, match="rows.jsonl:1: the prompt has .*data.overlong=drop$"):
        fitted(rows[2:], "error")


def test_rows_are_left_out_and_counted(fitted, rows):
    kept, said = fitted(rows, "drop")
    assert kept == [0, 3]
    [line] = said
    assert line.startswith("2 of 4 rows are too long and were left out; the first: ")
    assert "rows.jsonl:2: the response has" in line


def test_responses_are_cut_but_not_prompts(fitted, rows):
    kept, said = fitted(rows, "truncate")
    assert kept == [0, 1, 3]
    cut, left_out = said
    assert cut.startswith("1 of 4 responses are too long and are cut at their end, without a stop")
    assert "rows.jsonl:2: the response has" in cut
    assert left_out.startswith("1 of 4 rows are too long and were left out; the first: ")
    assert "rows.jsonl:3: the prompt has" in left_out


def test_the_models_context_cuts_too(fitted, rows, chat):
    prompt = len(chat.prompt_ids([Message("user", ASK)]))
    narrow = replace(LIMITS, response=1000, context=prompt + 5)
    kept, said = fitted(rows[:2], "truncate", narrow)
    assert kept == [0, 1]
    assert said[0].endswith(f"exceed the model's context of {prompt + 5}")
    # Rollouts to the same prompts need their room whatever becomes of the demonstrations.
    with pytest.raises(DataError, match="nothing is left to train on; .*sampling.max_new_tokens"):
        fitted(rows[:1], "truncate", replace(narrow, answer=6))


def test_responses_count_only_where_they_are_imitated(fitted, rows):
    kept, said = fitted(rows, "truncate", answers=())
    assert kept == [0, 1, 3]
    assert len(said) == 1


def test_judged_answers_are_never_cut(fitted, rows):
    kept, said = fitted(rows, "truncate", answers=("response", "rejected"))
    assert kept == [0, 3]
    assert said[0].startswith("2 of 4 rows are too long and were left out")


def test_a_run_with_no_row_left_stops_and_says_why(fitted, rows):
    for overlong in ("drop", "truncate"):
        with pytest.raises(DataError, match="all 2 rows .* nothing is left.*jsonl:1: the prompt"):
            fitted([rows[2], rows[2]], overlong)


def test_a_run_learns_from_the_heads_of_long_responses(tiny_config, tiny_data, tmp_path, logged):
    rows = [json.loads(line) for line in tiny_data["eight"].read_text().splitlines()]
    for row in rows:
        row["response"] *= 40
    write_rows(tmp_path / "rows.jsonl", rows)
    long = f"data.demonstrations={tmp_path / 'rows.jsonl'}"
    limit = "data.max_response_tokens=20"
    with pytest.raises(DataError, match="all 8 rows are too long: nothing is left to train on"):
        train(tiny_config("sft", "dropped", long, limit, "data.overlong=drop"))
    train(tiny_config("sft", "cut", long, limit, "data.overlong=truncate"))
    lengths = [line["demonstrations/length"] for line in logged(tmp_path / "cut")]
    assert lengths == [20.0] * 4
