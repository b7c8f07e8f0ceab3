"""The multiple-choice benchmarks, on made-up rows in each layout and on the shared files."""

import csv
import hashlib
import itertools
import json
import math
from collections import Counter
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import ChoiceItem, Item, benchmarks
from uniapl_cli.evaluation.benchmarks.gpqa import OPTIONS, order_of
from uniapl_cli.evaluation.benchmarks.subject_names import CEVAL_NAMES, CMMLU_NAMES
from uniapl_cli.evaluation.estimates import estimate
from uniapl_cli.types import Likelihood
from uniapl_cli.verifiers import Case, Judge

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
BY_NAME = {
    "mmlu": ("dev", "test"),
    "cmmlu": ("dev", "test"),
    "ceval": ("dev", "val"),
}
SUBJECTS = ("anatomy", "marketing")
CEVAL_SUBJECTS = ("accountant", "physician")
NAMES = [*BY_NAME, "mmlu_ll", "mmlu_cloze", "cmmlu_ll", "ceval_ll"]


def _subjects(name: str) -> tuple[str, str]:
    return CEVAL_SUBJECTS if name == "ceval" else SUBJECTS


def _row(subject: str, split: str, number: int) -> dict:
    """A made-up row, as the hub has those of cais/mmlu."""
    return {
        "question": f"{split} {number} of {subject}, {{braces}}?",
        "subject": subject,
        "choices": [f"{word} {number}" for word in ("one", "two", "three", "four")],
        "answer": (number * 3 + len(subject)) % 4,
    }


def _rows(name: str, split: str, count: int = 5) -> list[dict]:
    return [_row(s, split, number) for s in _subjects(name) for number in range(count)]


def _write_csv(path: Path, rows: list[list], header: list | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])


def as_csv(folder: Path, name: str) -> Path:
    """Write the layout of the authors."""
    for split, subject in itertools.product(BY_NAME[name], _subjects(name)):
        rows = [
            [row["question"], *row["choices"], "ABCD"[row["answer"]]]
            for row in _rows(name, split)
            if row["subject"] == subject
        ]
        header, stem = None, f"{subject}_{split}"
        if name == "cmmlu":
            header, stem = ["", "Question", *"ABCD", "Answer"], subject
            rows = [[number, *row] for number, row in enumerate(rows)]
        elif name == "ceval":
            header = ["id", "question", *"ABCD", "answer"]
            rows = [[number, *row] for number, row in enumerate(rows)]
        _write_csv(folder / name / split / f"{stem}.csv", rows, header)
    return folder / name


def _parquet(path: Path, rows: list[dict]) -> None:
    from pyarrow import Table
    from pyarrow.parquet import write_table

    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(Table.from_pylist(rows), path)


def as_parquet(folder: Path, name: str, *, whole: bool) -> Path:
    """Write the layout of the hub: all subjects in one file, or a folder a subject."""
    for split in BY_NAME[name]:
        rows = _rows(name, split)
        if whole:
            _parquet(folder / name / "all" / f"{split}-00000-of-00001.parquet", rows)
        for subject in () if whole else _subjects(name):
            columns = [
                {
                    "question": row["question"],
                    **dict(zip("ABCD", row["choices"], strict=True)),
                    "answer": "ABCD"[row["answer"]],
                }
                for row in rows
                if row["subject"] == subject
            ]
            _parquet(folder / name / subject / f"{split}-00000-of-00001.parquet", columns)
    return folder / name


def folder_of(name: str) -> str:
    return benchmarks.options(name).upstream.folder or name


def plain(item: Item | ChoiceItem) -> tuple:
    """Return an item without where it was read."""
    if isinstance(item, ChoiceItem):
        return item.id, item.subset, item.context, item.options, item.gold
    return item.id, item.subset, item.shots, item.turns


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_yields_the_same_items(tmp_path, name):
    benchmark, files = benchmarks.options(name), folder_of(name)
    layouts = [
        as_csv(tmp_path / "csv", files),
        as_parquet(tmp_path / "whole", files, whole=True),
        as_parquet(tmp_path / "subjects", files, whole=False),
    ]
    first, *others = ([plain(item) for item in benchmark.items(layout)] for layout in layouts)
    assert len(first) == 10 and len({item[0] for item in first}) == 10
    assert {item[1] for item in first} == set(_subjects(files))
    assert others == [first, first]


@pytest.mark.parametrize("name", ["mmlu_ll", "cmmlu_ll", "ceval_ll"])
@pytest.mark.parametrize("shots", range(6))
def test_the_items_of_a_subject_have_the_same_shots_to_the_byte(tmp_path, name, shots):
    data = as_csv(tmp_path, folder_of(name))
    items = benchmarks.options(name, shots=shots).items(data)
    for subject in {item.subset for item in items}:
        contexts = [item.context for item in items if item.subset == subject]
        starts = {
            context[: context.rindex(f"{item.id.split('/')[1]} of")]
            for context, item in zip(
                contexts, [i for i in items if i.subset == subject], strict=True
            )
        }
        assert len(starts) == 1
        assert contexts[0].count("one ") == shots + 1


@pytest.mark.parametrize("name", ["cmmlu", "ceval"])
def test_the_shots_of_a_subject_are_turns_of_its_items(tmp_path, name):
    data = as_csv(tmp_path, name)
    none, two = (benchmarks.options(name, shots=shots).items(data) for shots in (0, 2))
    assert {item.shots for item in none} == {()}
    for subject in _subjects(name):
        (shots,) = {item.shots for item in two if item.subset == subject}
        assert [message.role for message in shots] == ["user", "assistant"] * 2
        answers = ["ABCD"[_row(subject, "dev", number)["answer"]] for number in range(2)]
        assert [message.content for message in shots[1::2]] == [f"答案：{one}" for one in answers]
        assert (CMMLU_NAMES | CEVAL_NAMES)[subject] in shots[0].content
    assert [item.turns[0].constraints for item in none] == [
        item.turns[0].constraints for item in two
    ]


def test_the_official_prompts(tmp_path):
    def first(name: str) -> ChoiceItem:
        data = as_csv(tmp_path, folder_of(name))
        return benchmarks.options(name, **({} if name == "mmlu_cloze" else {"shots": 1})).items(
            data
        )[0]

    lines = "\nA. one 0\nB. two 0\nC. three 0\nD. four 0\n"
    mmlu, cloze, cmmlu, ceval = map(first, ("mmlu_ll", "mmlu_cloze", "cmmlu_ll", "ceval_ll"))
    assert mmlu.context == (
        "The following are multiple choice questions (with answers) about  anatomy.\n\n"
        f"dev 0 of anatomy, {{braces}}?{lines}Answer: D\n\n"
        f"test 0 of anatomy, {{braces}}?{lines}Answer:"
    )
    assert mmlu.options == (" A", " B", " C", " D")
    assert cloze.context == (
        "The following are questions about anatomy.\n"
        "Question: test 0 of anatomy, {braces}?\nAnswer:"
    )
    assert cloze.options == (" one 0", " two 0", " three 0", " four 0")
    assert cmmlu.context == (
        "以下是关于解剖学的单项选择题，请直接给出正确答案的选项。\n\n"
        f"题目：dev 0 of anatomy, {{braces}}?{lines}答案是：D\n\n"
        f"题目：test 0 of anatomy, {{braces}}?{lines}答案是："
    )
    assert ceval.context == (
        "以下是中国关于注册会计师考试的单项选择题，请选出其中的正确答案。\n\n"
        f"dev 0 of accountant, {{braces}}?{lines}答案：C\n\n"
        f"val 0 of accountant, {{braces}}?{lines}答案："
    )
    assert cmmlu.options == ceval.options == ("A", "B", "C", "D")
    assert [item.gold for item in (mmlu, cloze, cmmlu, ceval)] == [3, 3, 3, 2]


@pytest.mark.parametrize("name", ["mmlu", "cmmlu", "ceval", "mmlu_pro", "gpqa"])
def test_what_the_prompt_asks_for_is_graded_and_only_the_right_letter_passes(tmp_path, name):
    data = {"mmlu_pro": as_mmlu_pro, "gpqa": as_gpqa}.get(name, as_csv)(tmp_path, name)
    answer = {"mmlu_pro": "The answer is ({}).", "mmlu": "Answer: {}", "gpqa": "**Answer: {}**"}
    form = answer.get(name, "答案：{}")
    for item in benchmarks.options(name).items(data):
        (constraint,) = item.turns[0].constraints
        letters = "ABCDEFGHIJ"[: constraint.kwargs["options"]]
        cases = [Case(f"So it is.\n{form.format(one)}", [constraint]) for one in letters]
        passed = [verdict.passed for verdict in Judge()(cases)]
        assert sum(passed) == 1
        question = item.turns[0].question
        right = letters[passed.index(True)]
        assert any(f"{right}{mark} right" in question for mark in ".)") or name in BY_NAME


def as_gpqa(folder: Path, name: str = "gpqa", count: int = 60) -> Path:
    """Write made-up rows in the columns of gpqa_diamond.csv, with white space around texts."""
    header = [*OPTIONS, "Question", "Explanation", "High-level domain", "Record ID"]
    rows = [
        [" right\n", "wrong 1 ", "wrong 2", "wrong 3", f"Made up {n}?\n", "-", "Physics", f"rec{n}"]
        for n in range(count)
    ]
    _write_csv(folder / name / "gpqa_diamond.csv", rows, header)
    return folder / name


def test_the_order_of_gpqas_options_is_a_permutation_that_the_question_decides(tmp_path):
    items = benchmarks.options("gpqa").items(as_gpqa(tmp_path))
    again = benchmarks.options("gpqa").items(as_gpqa(tmp_path / "again"))
    assert [plain(item) for item in items] == [plain(item) for item in again]
    few = benchmarks.options("gpqa").items(as_gpqa(tmp_path / "few", count=7))
    assert [plain(item) for item in few] == [plain(item) for item in items[:7]]
    golds = Counter(item.turns[0].constraints[0].kwargs["answer"] for item in items)
    assert set(golds) == set("ABCD") and max(golds.values()) < 30
    for item in items:
        lines = item.turns[0].question.splitlines()[-4:]
        assert sorted(line[3:] for line in lines) == ["right", "wrong 1", "wrong 2", "wrong 3"]
        assert f"{item.turns[0].constraints[0].kwargs['answer']}) right" in lines
    assert {item.subset for item in items} == {"Physics"}
    assert [item.id for item in items[:2]] == ["rec0", "rec1"]


def test_the_order_is_of_the_sha256_of_the_question():
    orders = list(itertools.permutations(range(4)))
    for text in ("", "Why?", "为什么？"):
        number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
        assert order_of(text) == orders[number % 24]


def as_mmlu_pro(folder: Path, name: str = "mmlu_pro") -> Path:
    """Write made-up rows of TIGER-Lab/MMLU-Pro, of one category with three to ten options."""

    def row(split: str, number: int) -> dict:
        options = [f"{word} {number}" for word in ("wrong", "right", "wrong", "wrong", "wrong")]
        options = options * 2 if number % 2 else options[: 3 + number % 3]
        options = [*options[:2], *(option.replace("right", "wrong") for option in options[2:])]
        return {
            "question_id": number + (1000 if split == "validation" else 0),
            "question": f"{split} {number}?",
            "options": [*options, "N/A"] if len(options) == 3 else options,
            "answer": "B",
            "answer_index": 1,
            "cot_content": "A: Let's think step by step. The answer is (B).",
            "category": "computer science",
            "src": "made up",
        }

    for split in ("validation", "test"):
        path = folder / name / "data" / f"{split}-00000-of-00001.parquet"
        _parquet(path, [row(split, number) for number in range(5)])
    return folder / name


def test_the_shots_of_mmlu_pro_are_the_categorys_five_as_turns(tmp_path):
    data = as_mmlu_pro(tmp_path)
    none, five = (benchmarks.options("mmlu_pro", shots=shots).items(data) for shots in (0, 5))
    header = "The following are multiple choice questions (with answers) about computer science."
    assert all(item.turns[0].question.startswith(header) for item in none)
    assert {len(item.shots) for item in none} == {0}
    (shots,) = {item.shots for item in five}
    assert len(shots) == 10 and shots[0].content.startswith(header)
    assert sum(header in message.content for message in shots) == 1
    assert {message.content for message in shots[1::2]} == {
        "Let's think step by step. The answer is (B)."
    }
    assert all(item.turns[0].question.startswith("Question:\ntest ") for item in five)
    assert [item.turns[0].constraints[0].kwargs["options"] for item in none] == [3, 10, 5, 10, 4]
    assert not any("N/A" in item.turns[0].question for item in none)


def test_cloze_divides_by_the_characters_of_an_option_without_its_space():
    benchmark = benchmarks.options("mmlu_cloze")
    item = ChoiceItem("row", "So", (" four", " eight letters", " "), gold=1)
    likelihoods = [Likelihood(logp, 9, False) for logp in (-8.0, -13.0, -3.0)]
    scores = benchmark.scores(item, likelihoods)
    assert scores == {"accuracy": [-8, -13, -3], "accuracy_norm": [-2, -1, -3]}
    graded = benchmark.choose(item, likelihoods)
    assert graded.read == " eight letters" and benchmark.main == "accuracy_norm"
    assert graded.marks == {"accuracy": (0, 1), "accuracy_norm": (1, 1)}


@pytest.mark.parametrize(
    ("name", "main", "other"),
    [("mmlu_ll", "accuracy", "accuracy_subjects"), ("cmmlu_ll", "accuracy_rows", "accuracy")],
)
def test_means_over_rows_and_over_subjects(tmp_path, name, main, other):
    benchmark = benchmarks.options(name, shots=0)
    items = benchmark.items(as_csv(tmp_path, folder_of(name)))
    items = [*items[:2], *items[5:]]  # two rows of a subject, five of the other
    graded = [
        benchmark.choose(
            item, [Likelihood(-float(option != right), 1, False) for option in range(4)]
        )
        for number, item in enumerate(items)
        for right in [item.gold if number < 3 else (item.gold + 1) % 4]
    ]
    metrics = {name: estimate(columns) for name, columns in benchmark.metrics(graded).items()}
    assert math.isclose(metrics[main].mean, 3 / 7)
    assert math.isclose(metrics[other].mean, (1 + 1 / 5) / 2)


def test_mistakes_are_named(tmp_path):
    def refusal(name: str, data: Path, **options: object) -> DataError:
        with pytest.raises(DataError) as error:
            benchmarks.options(name, **options).items(data)
        return error.value

    data = as_csv(tmp_path, "mmlu")
    one = data / "test" / "anatomy_test.csv"
    assert refusal("mmlu_ll", one).key == "shots"
    assert len(benchmarks.options("mmlu_ll", shots=0).items(one)) == 5
    assert refusal("mmlu", tmp_path / "nothing").got == str(tmp_path / "nothing")
    (data / "dev" / "anatomy_dev.csv").unlink()
    assert refusal("mmlu_ll", data).key == "shots"
    _write_csv(one, [["Which?", *"abcd", "E"]], None)
    assert refusal("mmlu", data).where == f"{one}:1"
    _write_csv(one, [["Which?", *"abcd"]], None)
    assert refusal("mmlu", data).where == f"{one}:1"
    one.write_bytes(b"\xff\xfe,a,b,c,d,A\n")
    assert refusal("mmlu", data).got == str(one)
    path = tmp_path / "cmmlu" / "test" / "anatomie.csv"
    _write_csv(path, [[0, "Which?", *"abcd", "A"]], ["", "Question", *"ABCD", "Answer"])
    assert refusal("cmmlu", tmp_path / "cmmlu").suggestion == "anatomy"


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "mmlu").is_dir(), reason="shared/data/mmlu is not here")
@pytest.mark.parametrize(
    ("name", "rows", "subjects", "each"),
    [
        ("mmlu", 855, 57, {15}),
        ("mmlu_ll", 855, 57, {15}),
        ("mmlu_cloze", 855, 57, {15}),
        ("mmlu_pro", 196, 14, {14}),
        ("cmmlu", 1005, 67, {15}),
        ("cmmlu_ll", 1005, 67, {15}),
        ("ceval", 1346, 52, None),
        ("ceval_ll", 1346, 52, None),
    ],
)
def test_rows_of_each_subject_in_the_shared_files(name, rows, subjects, each):
    items = benchmarks.options(name).items(SHARED / folder_of(name))
    counts = Counter(item.subset for item in items)
    assert (len(items), len(counts)) == (rows, subjects)
    assert len({item.id for item in items}) == rows
    assert each is None or set(counts.values()) == each


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "ceval").is_dir(), reason="shared/data/ceval is not here")
def test_the_names_of_subjects_are_those_of_the_shared_files():
    names = json.loads((SHARED / "ceval" / "subject_mapping.json").read_text())
    assert {name: one[1] for name, one in names.items()} == CEVAL_NAMES
    files = (SHARED / "cmmlu" / "test").glob("*.csv")
    assert {path.stem for path in files} == set(CMMLU_NAMES)
