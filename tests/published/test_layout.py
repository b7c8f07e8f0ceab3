"""Our figures in the paper's tables, in every format."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.results import write_evaluation
from uniapl_cli.evaluation.scores import AVERAGE, domains, means
from uniapl_cli.published import formats
from uniapl_cli.published.digits import SIZES
from uniapl_cli.published.layout import Result, lay_out
from uniapl_cli.published.sheet import Cell, Series, Sheet

TWELVE = tuple(means()[AVERAGE])
HOSTILE = 'a|b, "c" & 50% of $x_1 #{2} ~^\\ [d]* <e> --f\n\tg → h ± `i`'


def evaluation(name="ours", scores=None, draws=("greedy",), **parts):
    """What eval would have written: scores by benchmark, rows measured by benchmark in parts."""
    scores = dict.fromkeys(TWELVE, 0.5) if scores is None else scores
    measured, mains = {}, {}
    for one, mean in scores.items():
        definition = benchmarks[one].definition
        estimate = {"mean": mean, "se": 0.01, "n": 10}
        found = {"metrics": {definition.main: estimate}, "unread": 0.0, "cut": 0.0, "errors": 0}
        size = next(iter(SIZES.get(one, {500: ""})))
        rows = parts.get(one, size)
        measured[one] = {"title": definition.title, "main": definition.main, "rows": rows}
        measured[one] |= {
            "of": size,
            "rule": "r/1",
            "refused": {},
            "draws": dict.fromkeys(draws, found),
        }
        mains[one] = (estimate, rows < size)
    return {
        "name": name,
        "model": name,
        "data": None,
        "draws": {},
        "benchmarks": measured,
        "domains": dict.fromkeys(draws, domains(mains)),
    }


def report(*words):
    result = CliRunner().invoke(app, ["report", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def write(folder, result):
    write_evaluation(folder, {**result, "environment": {}})
    return folder


def labels(sheet):
    return [series.label for series in sheet.series]


def test_ours_stands_behind_its_row_or_at_the_end():
    mine = [Result(evaluation("a"), "0.6b-grpo"), Result(evaluation("4b")), Result(evaluation("b"))]
    shown = labels(lay_out(3, mine))
    assert shown.index("ours: 4b") == shown.index("Qwen3-4B") + 1
    assert shown[-2:] == ["ours: a", "ours: b"]
    shown = labels(lay_out(2, mine))
    assert shown.index("ours: a") == shown.index("GRPO (Qwen3-0.6B)") + 1


@pytest.mark.parametrize("name", ["0.6b-sft", "0.6b-sft-0", "0.6b-sft-12"])
def test_a_result_named_after_a_run_stands_behind_it_whatever_its_seed(name):
    shown = labels(lay_out(2, [Result(evaluation(name))]))
    assert shown.index(f"ours: {name}") == shown.index("SFT (Qwen3-0.6B)") + 1
    weight = lay_out(10, [Result(evaluation("base-gt-agrpo-0.1-3"))])
    assert [s.run for s in weight.series if s.source == "measured"] == ["base-gt-agrpo-0.1"]


def test_figures_are_in_percent_with_their_errors():
    sheet = lay_out(7, [Result(evaluation())])
    cells = sheet.series[-1].cells
    assert cells["mmlu"] == Cell("50.00", "1.00") and cells["Average"].value == "50.00"
    assert lay_out(5, [Result(evaluation())]).series[-1].cells["Coding"].spread == "0.71"


def test_what_is_missing_is_a_dash_with_the_reason():
    sheet = lay_out(5, [Result(evaluation(scores={"ifeval": 0.25, "humaneval": 0.1, "mbpp": 0.1}))])
    cells = sheet.series[-1].cells
    assert [cells[m].value for m in ("I-Following", "Coding", "Average")] == ["-", "10.00", "-"]
    (mark,) = cells["I-Following"].marks
    assert "multi_if" in sheet.notes[mark] and "ifeval" not in sheet.notes[mark]


def test_limited_and_replaced_benchmarks_are_marked():
    scores = {**dict.fromkeys(TWELVE, 0.5), "math500": 0.4}
    del scores["math"]
    sheet = lay_out(8, [Result(evaluation(scores=scores, gsm8k=20))])
    cells = sheet.series[-1].cells
    assert cells["math"].value == "40.00" and cells["Average"].value == "-"
    assert "20 of 1319" in sheet.notes[cells["gsm8k"].marks[0]]
    assert "MATH-500" in sheet.notes[cells["math"].marks[0]]
    whole = lay_out(2, [Result(evaluation(scores=scores))])
    assert (
        whole.series[-1].cells["Mathematics"].marks == whole.series[-1].cells["Average"].marks != ()
    )


def test_each_draw_is_a_row_and_seeds_are_one():
    shown = labels(lay_out(4, [Result(evaluation("a", draws=("greedy", "ten")))]))
    assert shown[-2:] == ["ours: a (greedy)", "ours: a (ten)"]
    shares = (0.4, 0.6)
    seeds = [Result(evaluation(f"a-{i}", dict.fromkeys(TWELVE, m))) for i, m in enumerate(shares)]
    (cells,) = [
        s.cells for s in lay_out(4, seeds, over_seeds=True).series if s.source == "measured"
    ]
    # Student's t of one degree of freedom: 12.706 * 10 points.
    assert cells["Average"] == Cell("50.00", "127.06")
    with pytest.raises(DataError):
        lay_out(4, [seeds[0], seeds[0]], over_seeds=True)


def test_a_run_that_the_paper_has_not_is_refused():
    with pytest.raises(DataError) as caught:
        lay_out(2, [Result(evaluation(), "0.6b-gpro")])
    assert caught.value.suggestion == "0.6b-grpo"


def hostile(by_column):
    cells = {"x": Cell("1.00", "0.50", ("a", "12")), "y": Cell()}
    series = [Series(HOSTILE, "measured", "", cells), Series("plain", "published", "r", cells)]
    return Sheet(2, HOSTILE, by_column, {"x": HOSTILE, "y": "Y"}, series, {"a": HOSTILE, "12": "n"})


def split_markdown(line):
    """The cells of a row, as GitHub's Markdown reads them."""
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", line.strip())
    return [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in cells[1:-1]]


ONE_LINE = " ".join(HOSTILE.split())


@pytest.mark.parametrize("by_column", [False, True])
def test_markdown_is_read_back(by_column):
    lines = formats.markdown(hostile(by_column)).splitlines()
    rows = [split_markdown(line) for line in lines if line.startswith("|")]
    assert {len(row) for row in rows} == {3}
    name = "Benchmark" if by_column else "Method"
    columns = [ONE_LINE, "plain"] if by_column else [ONE_LINE, "Y"]
    assert rows[0] == [name, *columns]
    assert rows[2] == [ONE_LINE, "1.00 ± 0.50 [a 12]", rows[2][2]]


@pytest.mark.parametrize("by_column", [False, True])
def test_csv_is_read_back(by_column):
    rows = list(csv.reader(io.StringIO(formats.csv_text(hostile(by_column)))))
    assert len({len(row) for row in rows}) == 1
    if by_column:
        assert rows[0] == [
            "benchmark",
            HOSTILE,
            f"{HOSTILE}, error",
            "plain",
            "plain, error",
            "marks",
        ]
        assert rows[1][:5] == [HOSTILE, "1.00", "0.50", "1.00", "0.50"]
        assert rows[2] == ["Y", "", "", "", "", ""]
    else:
        assert rows[1] == [HOSTILE, "measured", "1.00", "", f"{HOSTILE}: a 12"]
        assert rows[2] == [HOSTILE, "error", "0.50", "", ""]


@pytest.mark.parametrize("by_column", [False, True])
def test_latex_has_no_sign_with_a_meaning(by_column):
    text = formats.latex(hostile(by_column))
    body = text.split("\\hline\n")[1:-1]
    rows = [row for part in body for row in part.split(" \\\\\n") if row]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {3}
    bare = re.sub(r"\\[a-zA-Z]+(\{\})?|\\[&%$#_{}]|\$\\(rightarrow|pm)\$", "", text)
    assert not set('%#~^|<>["_') & set(re.sub(r"\{\[\}|\{\*\}", "", bare))
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


TABLE_5 = """\
**Table 5: The base model on ground-truth answers: means**

| Method | Avg | I-Following | English | Coding | Mathematics | Chinese |
| --- | --- | --- | --- | --- | --- | --- |
| SFT | 43.97 | 60.13 | 33.32 | 35.87 | 43.60 | 52.43 |
| SFT → GRPO | 47.53 \\[21 29\\] | 76.25 \\[22\\] | 36.43 | 36.29 | 43.83 | 52.22 |
| SFT → A-GRPO | 47.83 | 78.96 \\[27\\] | 36.23 | 35.57 | 43.91 | 52.26 |
| ours: tiny | - | - | - | 25.00 ± 0.71 | - | - |
"""


def test_the_command_prints_every_format(tmp_path):
    scores = {"humaneval": 0.25, "mbpp": 0.25}
    folder = write(tmp_path / "tiny", evaluation("tiny", scores))
    text = report(folder, "--table", 5, "--format", "markdown")
    # The letters and the notes are left out here.
    assert re.sub(r" \\\[[a-z]\\\]", "", text).startswith(TABLE_5)
    rows = list(csv.reader(io.StringIO(report(folder, "--table", 5, "--format", "csv"))))
    assert rows[1] == ["SFT", "published", "43.97", "60.13", "33.32", "35.87", "43.60", "52.43", ""]
    assert rows[-2][:6] == ["ours: tiny", "measured", "", "", "", "25.00"]
    assert r"SFT $\rightarrow$ GRPO & 47.53\textsuperscript{21,29} &" in report(
        folder / "eval.json", "--table", 5, "--format", "latex"
    )
    assert "78.96 [27]" in report(f"base-gt-sft={folder}", "--table", 5)
    sheet = json.loads(report(f"base-gt-sft={folder}", "--table", 5, "--json"))
    assert [s["run"] for s in sheet["series"][:2]] == ["base-gt-sft", "base-gt-sft"]
    assert sheet["series"][1]["values"]["Coding"]["value"] == 25.0


@pytest.mark.parametrize("number", range(2, 13))
def test_without_results_it_is_the_published_table(number):
    sheet = json.loads(report("--table", number, "--json"))
    assert {series["source"] for series in sheet["series"]} == {"published"}
    used = {m for s in sheet["series"] for cell in s["values"].values() for m in cell["marks"]}
    assert used == sheet["notes"].keys()


def test_the_list_is_printed_in_every_format():
    listed = json.loads(report("--contradictions", "--json"))
    numbers = [found["number"] for found in listed["contradictions"]]
    rows = list(csv.reader(io.StringIO(report("--contradictions", "--format", "csv"))))
    assert [int(row[0]) for row in rows[1:]] == numbers == list(range(1, len(numbers) + 1))
    assert report("--contradictions", "--format", "latex").count(" \\\\\n") == len(numbers) + 1
    assert str(numbers[-1]) in report("--contradictions")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--format csv",
        "--table 2 --show a/b",
        "--table 2 --contradictions",
        "--table 2 --json --format csv",
        "--contradictions absent.json",
        "--contradictions --over-seeds",
        "--table 2 absent.json",
        "--table 1",
        "--table 2 --format pdf",
    ],
)
def test_what_does_not_go_together_ends_with_2(words):
    result = CliRunner().invoke(app, ["report", *words.split()])
    assert (result.exit_code, result.stdout) == (2, "")
