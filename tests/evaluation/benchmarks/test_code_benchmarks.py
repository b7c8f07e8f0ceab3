"""HumanEval's and MBPP's rows, in the layouts of their authors and of the hub."""

import gzip
import json
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.types import Message
from uniapl_cli.verifiers import Case, Judge

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
TASK = {
    "task_id": "HumanEval/0",
    "prompt": 'def one():\n    """ 1 """\n',
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}
ROWS = [
    {"task_id": id, "text": "One.", "code": "def one(): return 1", "test_list": ["assert one()"]}
    for id in (1, 10, 11, 510, 511, 974)
]
RIGHT = "```\ndef one(): return 1\n```"
CHECKED = [{**{("prompt" if k == "text" else k): v for k, v in row.items()}} for row in ROWS]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def items(name, data):
    return benchmarks[name].definition().items(data)


def parquet(path, rows):
    datasets = pytest.importorskip("datasets")
    path.parent.mkdir(parents=True)
    datasets.Dataset.from_list(rows).to_parquet(str(path))


def test_humaneval_is_read_as_github_and_the_hub_have_it(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "HumanEval.jsonl").write_bytes(lines([TASK]))
    (tmp_path / "plain" / "example_problem.jsonl").write_bytes(lines([{"task_id": "test/0"}]))
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "HumanEval.jsonl.gz").write_bytes(gzip.compress(lines([TASK])))
    parquet(tmp_path / "hub" / "openai_humaneval" / "test-00000-of-00001.parquet", [TASK])
    found = [items("humaneval", tmp_path / name) for name in ("plain", "packed", "hub")]
    found.append(items("humaneval", tmp_path / "plain" / "HumanEval.jsonl"))
    (item,) = found[0]
    assert [(one.id, one.turns) for (one,) in found] == [(item.id, item.turns)] * 4
    assert item.messages(()) == (Message("user", item.turns[0].question),)
    assert item.id == "HumanEval/0" and TASK["prompt"].strip() in item.turns[0].question


@pytest.mark.parametrize("name", ["mbpp", "mbpp_sanitized"])
def test_mbpp_takes_its_test_split_as_google_and_the_hub_have_it(tmp_path, name):
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "mbpp.jsonl").write_bytes(lines(ROWS))
    (tmp_path / "google" / "sanitized-mbpp.json").write_text(json.dumps(CHECKED))
    parquet(tmp_path / "hub" / "full" / "test-00000-of-00001.parquet", ROWS[2:4])
    parquet(tmp_path / "hub" / "sanitized" / "test-00000-of-00001.parquet", CHECKED[2:3])
    google, hub = (items(name, tmp_path / folder) for folder in ("google", "hub"))
    assert [item.id for item in google] == ["11", "510"]
    assert [item.id for item in hub] == (["11", "510"] if name == "mbpp" else ["11"])
    assert google[0].turns == hub[0].turns
    assert "assert one()" in google[0].turns[0].question


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("humaneval", {**TASK, "test": None}, "test"),
        ("mbpp", {**ROWS[2], "task_id": "eleven"}, "task_id"),
        ("mbpp", {**ROWS[2], "test_list": None}, "test"),
    ],
)
def test_a_row_that_lacks_something_is_an_error_with_its_line(tmp_path, name, row, column):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines([row]))
    with pytest.raises(DataError) as caught:
        items(name, path)
    assert caught.value.where == f"{path}:1" and column in str(caught.value)


def test_an_answer_is_graded_by_the_item_s_own_constraint(tmp_path):
    path = tmp_path / "rows.jsonl"
    cases = []
    for name, row in (("humaneval", TASK), ("mbpp", ROWS[2])):
        path.write_bytes(lines([row]))
        (item,) = items(name, path)
        cases += [
            Case(text, item.turns[0].constraints)
            for text in ("```\ndef one(): return 1\n```", "No.")
        ]
    judge = Judge()
    verdicts = judge(cases)
    judge.close()
    marks = [benchmarks["mbpp"].definition().marks(item, 0, one) for one in verdicts]
    assert marks == [{"accuracy": (right, 1.0)} for right in (1.0, 0.0, 1.0, 0.0)]
    assert [one.grades[0].read is None for one in verdicts] == [False, True, False, True]


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "mbpp").is_dir(), reason="shared/data is not here")
def test_the_benchmarks_have_their_known_sizes():
    mbpp = items("mbpp", SHARED / "mbpp")
    assert len(items("humaneval", SHARED / "humaneval")) == 164
    assert ([len(mbpp), mbpp[0].id, mbpp[-1].id]) == [500, "11", "510"]
    assert len(items("mbpp_sanitized", SHARED / "mbpp")) == 257
