"""uniapl score: files and pipes, on the layout that POLAR's README rows have."""

import json
import shlex
import sys

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.score import score
from uniapl_cli.errors import DataError

ROWS = [
    {"prompt": "What is the capital of China?", "reference": "Beijing.", "output": output, "of": 1}
    for output in ("Beijing.", "Shanghai.", "Beijing, which <think> is old.")
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
SCORE = "score discriminator.path=tiny:polar run.device=cpu run.threads=1"


@pytest.fixture
def pipe(folder):
    """pipe(words, stdin): the verb in this process, with that on stdin."""
    return lambda words, stdin=LINES: CliRunner().invoke(
        app, shlex.split(f"{SCORE} {words}"), input=stdin
    )


def test_a_file_into_a_file(uniapl, folder):
    (folder / "readme.jsonl").write_text(LINES)
    result = uniapl(f"{SCORE} score.input=readme.jsonl score.out=o.jsonl --json", enough=False)
    assert result.exit_code == 0, result.stderr
    means = json.loads(result.stdout)
    assert (means["rows"], means["kept from before"], means["out"]) == (3, 0, "o.jsonl")
    scored = [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()]
    assert [{k: row[k] for k in ROWS[0]} for row in scored] == ROWS
    assert all(-1 <= row["coef"] <= 1 for row in scored)
    assert means["score"] == pytest.approx(sum(row["score"] for row in scored) / 3)


def test_a_pipe_into_a_pipe_is_the_same(pipe, folder):
    result = pipe("score.input=- score.out=- score.centre=true")
    assert result.exit_code == 0, result.stderr
    scored = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["output"] for row in scored] == [row["output"] for row in ROWS]
    assert scored[0]["score"] == pytest.approx(0, abs=1e-5)
    assert scored[0]["coef"] == pytest.approx(1, abs=1e-5)
    assert "rows 3, kept from before 0" in result.stderr
    assert pipe("score.input=- score.out=o.jsonl score.centre=true").exit_code == 0
    assert [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()] == scored


def test_a_bad_row_stops_before_anything_is_written(uniapl, folder, tree):
    (folder / "readme.jsonl").write_text(LINES + '{"prompt": "Hi", "reference": "So."}\n')
    before = tree()
    result = uniapl(f"{SCORE} score.input=readme.jsonl score.out=o.jsonl", enough=False)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: readme.jsonl:4: ") and "'output'" in result.stderr
    assert tree() == before


def test_a_bad_row_in_a_pipe_is_named_by_its_line(pipe):
    result = pipe("score.input=- score.out=- score.chunk=1", LINES + "\n{\n")
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 3
    assert "error: stdin:5: " in result.stderr


@pytest.mark.parametrize("source", ["-", "rows.jsonl"])
def test_tolerated_bad_rows_are_left_out_and_written_down(pipe, folder, source):
    lines = f'{{"prompt": "Hi", "reference": "So."}}\n{LINES}{{\n'
    (folder / "rows.jsonl").write_text(lines)
    words = f"score.input={source} score.out=o.jsonl data.tolerance=2 data.bad_rows=bad.jsonl"
    means = json.loads(pipe(f"{words} --json", lines).stdout)
    assert (means["rows"], means["bad rows"]) == (3, 2)
    assert len((folder / "o.jsonl").read_text().splitlines()) == 3
    bad = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    name = "stdin" if source == "-" else source
    assert [row["reason"].partition(": ")[0] for row in bad] == [f"{name}:1", f"{name}:5"]
    again = pipe(f"{words} data.tolerance=1", lines)
    assert again.exit_code == 2 and f"{name}:5: " in again.stderr


def test_a_dry_run_of_a_pipe_counts(pipe):
    result = pipe("score.input=- score.out=- --dry-run --json")
    assert json.loads(result.stdout) == {"rows": 3, "bad rows": 0, "out": "-"}


def test_the_same_command_goes_on(pipe, folder):
    first = pipe("score.input=- score.out=o.jsonl --json", LINES.split("\n")[0] + "\n")
    assert json.loads(first.stdout)["rows"] == 1
    again = json.loads(pipe("score.input=- score.out=o.jsonl --json").stdout)
    assert (again["rows"], again["kept from before"]) == (3, 1)
    other = pipe("score.input=- score.out=o.jsonl score.centre=true")
    assert other.exit_code == 2 and "'o.jsonl'" in other.stderr


SERVER = "discriminator.kind=polar_server discriminator.addresses=[127.0.0.1:1]"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("score.input=-", ["score.out=..."]),
        ("score.out=o.jsonl score.input=- score.chunk=0", ["'score.chunk=0'"]),
        ("score.out=o.jsonl score.input=absent.jsonl", ["'absent.jsonl'"]),
        (f"score.out=o.jsonl score.input=- {SERVER}", ["'discriminator.engine'"]),
        (
            f"score.out=o.jsonl score.input=- {SERVER} discriminator.engine=vllm "
            "discriminator.retries=0",
            ["stdin:", "http://127.0.0.1:1", " 3 rows"],
        ),
    ],
)
def test_a_mistake_is_one_line(pipe, folder, words, parts):
    result = pipe(words)
    assert result.exit_code == 2, result.output
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("error: ")]
    assert [part for part in parts if part not in line] == [], line
    assert not (folder / "o.jsonl").exists()


@pytest.mark.parametrize(("stream", "key"), [("stdin", "score.input"), ("stdout", "score.out")])
def test_a_closed_stream_is_named(folder, monkeypatch, stream, key):
    config = load_config(
        None, ["discriminator.path=tiny:polar", "score.input=-", "score.out=-"], None
    )
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(DataError) as caught:
        score(config)
    assert caught.value.key == key
