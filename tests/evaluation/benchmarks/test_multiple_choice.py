"""The multiple-choice benchmarks, on made-up rows in each layout and on the shared files."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from exam_files import (
    BY_NAME,
    as_csv,
    as_gpqa,
    as_mmlu_pro,
    as_parquet,
    row_of,
    subjects_of,
    write_csv,
)

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import ChoiceItem, Item, benchmarks
from uniapl_cli.evaluation.benchmarks.subject_names import CEVAL_NAMES, CMMLU_NAMES
from uniapl_cli.evaluation.estimates import estimate
from uniapl_cli.types import Likelihood
from uniapl_cli.verifiers import Case, Judge

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
NAMES = [*BY_NAME, "mmlu_ll", "mmlu_cloze", "cmmlu_ll", "ceval_ll"]


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
    assert {item[1] for item in first} == set(subjects_of(files))
    assert others == [first, first]


@pytest.mark.parametrize("name", ["mmlu_ll", "cmmlu_ll", "ceval_ll"])
@pytest.mark.parametrize("shots", range(6))
def test_the_items_of_a_subject_have_the_same_shots_to_the_byte(tmp_path, name, shots):
    data = as_csv(tmp_path, folder_of(name))
    items = benchmarks.options(name, shots=shots).items(data)
    for subject in {item.subset for item in items}:
        contexts = [item.context for item in items if item.subset == subject]
        asked = [item.id.partition("/")[2] + " of" for item in items if item.subset == subject]
        starts = {text[: text.rindex(one)] for text, one in zip(contexts, asked, strict=True)}
        assert len(starts) == 1
        assert contexts[0].count("one ") == shots + 1


@pytest.mark.parametrize("name", ["cmmlu", "ceval"])
def test_the_shots_of_a_subject_are_turns_of_its_items(tmp_path, name):
    data = as_csv(tmp_path, name)
    none, two = (benchmarks.options(name, shots=shots).items(data) for shots in (0, 2))
    assert {item.shots for item in none} == {()}
    for subject in subjects_of(name):
        (shots,) = {item.shots for item in two if item.subset == subject}
        assert [message.role for message in shots] == ["user", "assistant"] * 2
        answers = ["ABCD"[row_of(subject, "dev", number)["answer"]] for number in range(2)]
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


def test_cloze_divides_by_the_characters_of_an_option_without_its_space():
    benchmark = benchmarks.options("mmlu_cloze")
    item = ChoiceItem("row", "So", (" four", " eight letters", " "), gold=1)
    likelihoods = [Likelihood(logp, 9, False) for logp in (-8.0, -13.0, -3.0)]
    scores = benchmark.scores(item, likelihoods)
    assert scores == {"accuracy": [-8, -13, -3], "accuracy_norm": [-2, -1, -3]}
    graded = benchmark.choose(item, likelihoods)
    assert graded.read == "eight letters" and benchmark.main == "accuracy_norm"
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
    write_csv(one, [["Which?", *"abcd", "E"]], None)
    assert refusal("mmlu", data).where == f"{one}:1"
    write_csv(one, [["Which?", *"abcd"]], None)
    assert refusal("mmlu", data).where == f"{one}:1"
    one.write_bytes(b"\xff\xfe,a,b,c,d,A\n")
    assert refusal("mmlu", data).got == str(one)
    path = tmp_path / "cmmlu" / "test" / "anatomie.csv"
    write_csv(path, [[0, "Which?", *"abcd", "A"]], ["", "Question", *"ABCD", "Answer"])
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
