"""Every row gets its own score, and an interrupted file goes on where it was."""

import json
import statistics

import pytest

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.discriminators import coefficient
from uniapl_cli.errors import DataError, ModelError
from uniapl_cli.files import Row, read_rows, write_rows
from uniapl_cli.pipelines.score import Columns, score
from uniapl_cli.runs.console import Bar

PROVENANCE = {"kind": "lengths", "path": "x"}


class Lengths:
    """Minus how much longer or shorter the candidate is, plus 1; dies after `lives` calls."""

    def __init__(self, lives=1000):
        self.lives, self.seen = lives, []

    def score(self, comparisons):
        if self.lives == 0:
            raise KeyboardInterrupt
        self.lives -= 1
        self.seen += comparisons
        return [1 - abs(len(c.candidate) - len(c.reference)) / 4 for c in comparisons]


@pytest.fixture
def inputs():
    return [
        {"key": n, "prompt": "Hi", "reference": "é" * 4, "output": "x" * n, "score_of": None}
        for n in range(10)
    ]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "scored.jsonl"


@pytest.fixture
def run(inputs, out):
    """run(discriminator, **changes): score the ten rows, three at a time."""

    def start(judge=None, rows=inputs, *, provenance=PROVENANCE, columns=None, out=out, **options):
        numbered = (Row(f"rows.jsonl:{n}", row) for n, row in enumerate(rows, 1))
        with AppendOnlyRows(out, provenance, "score.out") as file:
            return score(
                numbered,
                lambda: judge or Lengths(),
                file,
                columns or Columns(),
                Bar("score", None),
                **{"chunk": 3, **options},
            )

    return start


def rows(out):
    return [row.values for row in read_rows(out)]


def test_a_row_is_what_it_was_with_score_and_coefficient(run, out, inputs):
    result = run()
    scores = [1 - abs(n - 4) / 4 for n in range(10)]
    assert rows(out) == [
        {**row, "score": r, "coef": coefficient(r)} for row, r in zip(inputs, scores, strict=True)
    ]
    coefs = [coefficient(r) for r in scores]
    assert result == {
        "rows": 10,
        "kept from before": 0,
        "score": pytest.approx(statistics.fmean(scores)),
        "score std": pytest.approx(statistics.pstdev(scores)),
        "coef": pytest.approx(statistics.fmean(coefs)),
        "coef std": pytest.approx(statistics.pstdev(coefs)),
    }


def test_centred_the_references_own_score_is_subtracted_and_kept(run, out):
    judge = Lengths()
    run(judge, centre=True)
    scored = rows(out)
    assert [row["score"] for row in scored] == [-abs(n - 4) / 4 for n in range(10)]
    assert {row["own"] for row in scored} == {1.0}
    assert scored[4]["coef"] == 1.0
    assert len(judge.seen) == 10 + 4  # one reference a chunk of three


def test_new_columns_take_the_prefix(run, out):
    run(columns=Columns(prefix="polar_"), centre=True)
    assert {"polar_score", "polar_coef", "polar_own"} <= rows(out)[0].keys()


@pytest.mark.parametrize("lives", range(4))
def test_an_interruption_loses_nothing_and_leaves_no_trace(run, out, tmp_path, lives):
    with pytest.raises(KeyboardInterrupt):
        run(Lengths(lives))
    again = Lengths()
    result = run(again)
    assert (result["rows"], result["kept from before"]) == (10, 3 * lives)
    assert len(again.seen) == 10 - 3 * lives
    whole = tmp_path / "whole.jsonl"
    assert result == {**run(out=whole), "kept from before": 3 * lives}
    assert out.read_bytes() == whole.read_bytes()


def test_a_torn_last_line_is_made_again(run, out):
    run()
    whole = out.read_bytes()
    out.write_bytes(whole[:-9])
    again = Lengths()
    assert run(again)["kept from before"] == 9
    assert len(again.seen) == 1
    assert out.read_bytes() == whole


def test_a_finished_file_loads_nothing(run, out):
    run()
    assert run(Lengths(0))["rows"] == 10


def test_more_rows_are_added(run, out, inputs):
    run(rows=inputs[:4])
    assert run()["kept from before"] == 4
    assert [row["key"] for row in rows(out)] == list(range(10))


def test_rows_scored_in_another_way_are_refused(run, out):
    run()
    before = out.read_bytes()
    with pytest.raises(DataError) as caught:
        run(provenance={**PROVENANCE, "path": "y"})
    assert caught.value.got == str(out)
    assert out.read_bytes() == before


def test_another_row_in_a_rows_place_is_refused(run, out, inputs):
    run()
    inputs[6] = {**inputs[6], "output": "changed"}
    with pytest.raises(DataError) as caught:
        run()
    assert (caught.value.where, caught.value.got) == (f"{out}:7", "rows.jsonl:7")
    with pytest.raises(DataError) as caught:
        run(rows=inputs[:4])
    assert caught.value.where == f"{out}:5"


def test_a_file_of_someone_else_is_refused(run, out):
    out.parent.mkdir()
    out.write_text('{"key": "1"}\n')
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.got == str(out)
    assert out.read_text() == '{"key": "1"}\n'


def test_no_rows_are_an_error(run):
    with pytest.raises(DataError):
        run(rows=[])


def test_not_a_number_in_a_column_is_itself(run, inputs):
    inputs[2]["score_of"] = float("nan")
    run()
    assert run()["kept from before"] == 10


def comparison_of(columns=None, **row):
    values = {"prompt": "Hi", "reference": "So.", "output": "Yes.", **row}
    comparison = (columns or Columns()).comparison(Row("rows.jsonl:3", values))
    return comparison.prompt, comparison.reference, comparison.candidate, comparison.id


def test_columns_are_texts_or_messages():
    assert comparison_of() == ("Hi", "So.", "Yes.", "rows.jsonl:3")
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    answer = [{"role": "assistant", "content": "Yes."}]
    comparison = comparison_of(prompt=turns, output=answer)
    assert comparison == ("Be brief.\nHi", "So.", "Yes.", "rows.jsonl:3")
    assert comparison_of(output="")[2] == ""


def test_columns_may_have_other_names():
    columns = Columns(prompt="question", reference="teacher", output="prompt")
    assert comparison_of(columns, question="Q", teacher="T")[:3] == ("Q", "T", "Hi")


@pytest.mark.parametrize(("strip", "left"), [(True, "Yes."), (False, "<think>\n?</think>\n\nYes.")])
def test_thoughts_are_left_out_unless_they_are_wanted(strip, left):
    text = "<think>\n?</think>\n\nYes."
    columns = Columns(strip_thinking=strip)
    turns = [{"role": "assistant", "content": text}]
    for content in (text, turns):
        assert comparison_of(columns, output=content, reference=content, prompt=text)[1:3] == (
            left,
            left,
        )
    assert comparison_of(columns, prompt=text)[0] == text


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ({"output": None}, ["prompt", "reference", "output"]),
        ({"output": 3}, 3),
        ({"output": []}, []),
        ({"prompt": ["Hi"]}, ["Hi"]),
        ({"prompt": [{"role": "user"}]}, [None]),
        ({"coef": 1}, "coef"),
    ],
)
def test_a_row_that_cannot_be_compared_is_named(row, got):
    with pytest.raises(DataError) as caught:
        comparison_of(**row)
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:3", got)


def test_a_failed_score_keeps_the_rows_before_it(run, out):
    class Failing(Lengths):
        def score(self, comparisons):
            if any(len(c.candidate) == 7 for c in comparisons):
                raise ModelError("no score", where=comparisons[1].id)
            return super().score(comparisons)

    with pytest.raises(ModelError) as caught:
        run(Failing())
    assert caught.value.where == "rows.jsonl:8"
    assert len(rows(out)) == 6


def test_the_record_says_how_rows_were_scored(run, out):
    run()
    assert json.loads(out.with_name("scored.jsonl.meta.json").read_text()) == PROVENANCE


@pytest.mark.parametrize("kept", range(11))
def test_rows_are_scored_in_the_batches_of_an_undisturbed_run(run, out, kept):
    """In another batch a score's last bits are others, and the file would not be the same."""

    class Batches(Lengths):
        def score(self, comparisons):
            seen.append([comparison.id for comparison in comparisons])
            return super().score(comparisons)

    seen = []
    run(Batches())
    whole, undisturbed = out.read_bytes(), list(seen)
    write_rows(out, rows(out)[:kept])
    seen.clear()
    run(Batches())
    assert out.read_bytes() == whole
    assert seen == ([] if kept == 10 else undisturbed[kept // 3 :])


@pytest.mark.parametrize("value", [None, "0.5", True, [1], float("nan")])
@pytest.mark.parametrize("name", ["score", "coef"])
def test_an_earlier_row_without_its_figures_is_refused(run, out, name, value):
    run()
    damaged = [{**row, name: value} if n == 1 else row for n, row in enumerate(rows(out))]
    if value is None:
        del damaged[1][name]
    write_rows(out, damaged)
    before = out.read_bytes()
    with pytest.raises(DataError) as caught:
        run()
    assert (caught.value.file, caught.value.line) == (str(out), 2)
    assert out.read_bytes() == before


def test_what_is_written_can_be_scored_again_under_another_name(run, out, tmp_path):
    run()
    write_rows(tmp_path / "copy.jsonl", rows(out))
    again = run(rows=rows(out), columns=Columns(prefix="b_"), out=tmp_path / "twice.jsonl")
    assert again["rows"] == 10
    assert {"score", "b_score"} <= rows(tmp_path / "twice.jsonl")[0].keys()
