"""`uniapl score` reads thoughts as POLAR's client does, but for the choices in the docs."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniapl_cli.chat.thinking import strip_first_thinking
from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.files import Row
from uniapl_cli.pipelines.score import ScoreOptions

TINY = Path(__file__).parents[3].parent / "shared" / "data" / "polar" / "tiny_a"
OPTIONS = ScoreOptions(input="rows.jsonl", out="scores.jsonl")
KEPT = OPTIONS.model_copy(update={"strip_thinking": False})
TEXTS = st.text().filter(lambda text: "think>" not in text)
# The last of two blocks, a </think> alone, a block that nothing closes, thoughts in the reference.
DIFFERENT = {"a-think-04", "a-think-05", "a-think-06", "a-think-08"}


def compared(output, options=OPTIONS, reference="42"):
    row = {"prompt": "6 * 7?", "reference": reference, "output": output}
    return options.comparison(Row("rows.jsonl:1", row))


@given(TEXTS, TEXTS, TEXTS)
def test_one_whole_block_is_read_as_the_client_reads_it(before, thoughts, answer):
    text = f"{before}<think>{thoughts}</think>{answer}"
    assert compared(text).candidate == strip_first_thinking(text) == answer.strip()


@given(TEXTS)
def test_a_text_without_thoughts_is_left_as_it_is(text):
    assert compared(text).candidate == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think> x <think>b</think> y", "y"),
        ("stray </think> 42", "42"),
        ("<think>never closed", ""),
    ],
)
def test_the_choices(text, answer):
    assert compared(text).candidate == answer
    assert compared("x", reference=text).reference == answer
    assert compared(text, KEPT).candidate == text


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not TINY.is_dir(), reason="shared/data/polar/tiny_a is not here")
@pytest.mark.parametrize(("options", "different"), [(OPTIONS, DIFFERENT), (KEPT, set())])
def test_scores_of_rows_that_think_are_the_official_ones(options, different):
    judge = Polar().make(TINY, "cpu")
    lines = (TINY / "cases.jsonl").read_text("utf-8").strip().split("\n")
    rows = [row for row in map(json.loads, lines) if row["kind"] == "think"]
    scores = judge.score([options.comparison(Row(row["id"], row)) for row in rows])
    apart = {
        row["id"]
        for row, score in zip(rows, scores, strict=True)
        if abs(score - row["expected_score_fp32"]) > 1e-4
    }
    assert len(rows) >= 8 and apart == different
