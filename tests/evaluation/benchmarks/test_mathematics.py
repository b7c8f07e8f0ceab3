"""GSM8K, MATH and TheoremQA: their files, items and marks."""

import json
from pathlib import Path

import pytest

from uniapl_cli.boxed import ask
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.scores import domains
from uniapl_cli.types import Verdict

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is not here"),
]
PROBLEM = {"problem": "Find $2^5$.", "solution": "It is $\\boxed{32}$.", "level": "Level 1"}


def items(name, data):
    return benchmarks[name].definition().items(data)


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def file(tmp_path):
    """file(rows, name): a folder with a file of rows."""
    return lambda rows, name="test.jsonl": written(tmp_path / name, rows).parent


def test_gsm8k_asks_for_a_box_and_knows_the_number(file):
    (item,) = items("gsm8k", file([{"question": "How many?", "answer": "so\n#### 1,000"}]))
    (turn,) = item.turns
    assert turn.question == ask("How many?") and item.origin.endswith("test.jsonl:1")
    assert turn.constraints[0].kwargs == {"answer": "1,000"}


@pytest.mark.parametrize("name", ["math", "math500"])
def test_math_reads_both_layouts_by_one_rule(file, name):
    first = {**PROBLEM, "type": "Algebra"}
    second = {"problem": "p", "answer": "\\frac12", "subject": "Geometry", "level": 3}
    found = items(name, file([first, second]))
    assert [item.subset for item in found] == ["Algebra", "Geometry"]
    answers = [item.turns[0].constraints[0].kwargs["answer"] for item in found]
    assert answers == ["32", "\\frac12"]
    assert len({item.id for item in found}) == 2
    assert found[0].turns[0].question == ask(PROBLEM["problem"])


def test_math_reads_a_file_of_each_subject_with_ids_of_their_own(tmp_path):
    datasets = pytest.importorskip("datasets")
    for name in ("algebra", "geometry"):
        path = tmp_path / name / "test-00000-of-00001.parquet"
        path.parent.mkdir()
        datasets.Dataset.from_list([{**PROBLEM, "type": name}] * 2).to_parquet(str(path))
    found = items("math", tmp_path)
    assert [item.subset for item in found] == ["algebra"] * 2 + ["geometry"] * 2
    assert len({item.id for item in found}) == 4


@pytest.mark.parametrize("name", ["math", "math500"])
def test_math_is_refused_without_math_verify_before_anything_is_asked(file, monkeypatch, name):
    monkeypatch.setattr("uniapl_cli.verifiers.packages.installed", lambda package: False)
    with pytest.raises(ConfigError) as caught:
        items(name, file([{**PROBLEM, "type": "Algebra"}]))
    assert caught.value.got == "math_verify" and "uniapl[eval]" in caught.value.advice


def test_math_500_stands_for_math_where_that_is_not_measured():
    known = {"mean": 0.5, "se": 0.1}
    others = {"gsm8k": (known, False), "theoremqa": (known, False)}
    whole = domains({**others, "math": (known, False), "math500": ({"mean": 0, "se": 0}, False)})
    part = domains({**others, "math500": ({"mean": 0.2, "se": 0.1}, False)})
    assert whole["Mathematics"]["mean"] == pytest.approx(0.5)
    assert part["Mathematics"]["mean"] == pytest.approx(0.4)
    assert domains(others)["Mathematics"]["mean"] is None


THEOREM = {"Question": "So?", "Picture": None}


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        (3, "integer", 3),
        (3.0, "float", 3.0),
        (True, "bool", True),
        ([1, 2], "list of integer", [1, 2]),
        ("(a)", "option", "(a)"),
        ("3", "integer", 3),
        ("3.0", "float", 3.0),
        ("False", "bool", False),
        ("[0.5, 1]", "list of float", [0.5, 1]),
    ],
)
def test_theoremqa_keeps_the_kind_of_its_answers_also_of_texts(file, answer, kind, value):
    row = {**THEOREM, "Answer": answer, "Answer_type": kind}
    (item,) = items("theoremqa", file([row]))
    kept = item.turns[0].constraints[0].kwargs["answer"]
    assert kept == value and type(kept) is type(value)


@pytest.mark.parametrize("answer", ["seven", "(z)", ["a"], {"a": 1}])
def test_an_answer_of_no_kind_is_a_bad_row(file, answer):
    with pytest.raises(DataError) as caught:
        items("theoremqa", file([{**THEOREM, "Answer": answer}]))
    assert caught.value.where.endswith(":1")


def test_questions_with_pictures_count_and_are_left_out_of_the_second_metric(file):
    rows = [{**THEOREM, "Answer": 1}, {**THEOREM, "Answer": 1, "Picture": "a.png"}]
    found = items("theoremqa", file(rows))
    benchmark = benchmarks["theoremqa"].definition()
    marks = [benchmark.marks(item, 0, Verdict((True,), ())) for item in found]
    assert marks == [
        {"accuracy": (1.0, 1.0), "accuracy_text": (1.0, 1.0)},
        {"accuracy": (1.0, 1.0)},
    ]


class TestShared:
    pytestmark = shared

    @pytest.mark.parametrize(
        ("name", "count"), [("gsm8k", 1319), ("math500", 500), ("theoremqa", 800)]
    )
    def test_every_row_is_read(self, name, count):
        found = items(name, SHARED / name)
        assert len(found) == len({item.id for item in found}) == count

    def test_53_questions_of_theoremqa_have_a_picture(self):
        benchmark = benchmarks["theoremqa"].definition()
        found = benchmark.items(SHARED / "theoremqa")
        marks = [benchmark.marks(item, 0, Verdict((True,), ())) for item in found]
        assert sum("accuracy_text" in one for one in marks) == 747
