"""Two evaluations are compared where they were measured alike, by what their samples say."""

import json
import random

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.evaluation.benchmarks import Graded, Item, benchmarks
from uniapl_cli.evaluation.compare import compare, read
from uniapl_cli.evaluation.results import VERSION, write_evaluation
from uniapl_cli.evaluation.scores import score

SUBSETS = ("algebra", "law")


def graded(name, seed, rows, samples):
    """Answers that are right or wrong by chance, in two subsets."""
    draw = random.Random(f"{name}{seed}")
    return [
        Graded(Item(f"{name}{i}", (), SUBSETS[i % 2]), 0, sample, marks, "")
        for i in range(rows)
        for sample in range(samples)
        for marks in ({"accuracy": (float(draw.random() < 0.5), 1.0)},)
    ]


@pytest.fixture
def evaluation(tmp_path):
    """evaluation(folder, names, ...): what eval would have written of these benchmarks."""

    def make(folder, names=("gsm8k",), *, seed=0, rows=40, samples=1, change=None):
        result = {"name": folder, "model": folder, "data": None, "draws": {}, "domains": {}}
        result["benchmarks"], lines = {}, []
        decoding = {"samples": samples, "sampling": {"temperature": 0.0}}
        for name in names:
            benchmark = benchmarks.options(name, kind=name)
            answers = graded(name, seed, rows, samples)
            result["benchmarks"][name] = {
                "title": benchmark.title,
                "rule": f"{name}/{benchmark.rule}",
                "main": benchmark.main,
                "options": {},
                "rows": rows,
                "of": rows,
                "digest": "abc",
                "refused": {},
                "draws": {"greedy": {**score(benchmark, answers), "decoding": dict(decoding)}},
            }
            lines += [
                {
                    "benchmark": name,
                    "draws": "greedy",
                    "id": one.item.id,
                    "subset": one.item.subset,
                    "turn": 0,
                    "sample": one.sample,
                    "marks": one.marks,
                }
                for one in answers
            ]
        if change:
            change(result, lines)
        (tmp_path / folder).mkdir()
        write_evaluation(tmp_path / folder, result)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / folder / "samples.jsonl").write_text(text)
        return tmp_path / folder

    return make


def test_the_difference_is_that_of_the_main_metrics(evaluation):
    """Of one mean over rows, of a mean over subsets, of pass@1 with several draws."""
    names = ("gsm8k", "ceval", "humaneval")
    a, b = (evaluation(f, names, seed=f, samples=2) for f in "ab")
    result = compare(read(a), read(b / "eval.json"))
    scores = [
        {name: m["draws"]["greedy"]["metrics"][m["main"]] for name, m in measured.items()}
        for measured in (json.loads((f / "eval.json").read_text())["benchmarks"] for f in (a, b))
    ]
    for name in names:
        found = result["benchmarks"][f"{name}/greedy"]
        means = [score[name]["mean"] for score in scores]
        assert [found["mean_first"], found["mean_second"]] == means
        assert found["difference"] == pytest.approx(means[1] - means[0])
        assert 0 < found["se"] < sum(score[name]["se"] for score in scores)
        assert found["low"] < found["difference"] < found["high"]
        assert found["n"] == 40 and found["only_first"] > 0 < found["only_second"]


def test_another_metric_is_compared_where_it_was_measured(evaluation):
    # An odd number of rows: the mean over subsets is another than that over rows.
    a, b = (read(evaluation(f, ("ceval", "gsm8k"), seed=f, rows=41)) for f in "ab")
    result = compare(a, b, "accuracy_rows")
    (found,) = result["benchmarks"].values()
    means = [one.draws()["ceval", "greedy"]["metrics"]["accuracy_rows"]["mean"] for one in (a, b)]
    assert [found["mean_first"], found["mean_second"]] == means
    assert found["difference"] == pytest.approx(means[1] - means[0], abs=1e-12)
    assert found["difference"] != compare(a, b)["benchmarks"]["ceval/greedy"]["difference"]
    assert result["domains"] == {}
    assert compare(a, b, "accuracy")["benchmarks"] == compare(a, b)["benchmarks"]


def test_a_metric_that_nobody_measured_is_refused_with_those_there_are(evaluation):
    a = read(evaluation("a"))
    with pytest.raises(DataError) as caught:
        compare(a, a, "accurcy")
    assert caught.value.got == "accurcy" and list(caught.value.allowed) == ["accuracy"]


def test_an_evaluation_beside_itself(evaluation):
    a = read(evaluation("a"))
    found = compare(a, a)["benchmarks"]["gsm8k/greedy"]
    assert [found[n] for n in ("difference", "se", "low", "high", "only_first")] == [0] * 5


def test_the_order_of_samples_is_of_no_matter(evaluation):
    a, b = evaluation("a", seed=1), evaluation("b", seed=2)
    turned = evaluation("c", seed=2, change=lambda _, lines: lines.reverse())
    there, back = (compare(read(a), read(f))["benchmarks"] for f in (b, turned))
    assert there == back


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", "gsm8k/another/1"),
        ("digest", "xyz"),
        ("options", {"shots": 5}),
        ("rows", 39),
        ("refused", {"no package": 1}),
    ],
)
def test_what_was_measured_otherwise_is_refused_by_its_name(evaluation, key, value):
    def change(result, _):
        result["benchmarks"]["gsm8k"][key] = value

    with pytest.raises(DataError) as caught:
        compare(read(evaluation("a")), read(evaluation("b", change=change)))
    assert caught.value.key == key and caught.value.got == value


def test_another_decoding_is_refused(evaluation):
    def change(result, _):
        decoding = result["benchmarks"]["gsm8k"]["draws"]["greedy"]["decoding"]
        decoding["sampling"] = {"temperature": 0.7}

    with pytest.raises(DataError) as caught:
        compare(read(evaluation("a")), read(evaluation("b", change=change)))
    assert caught.value.key == "decoding" and "temperature" in caught.value.problem


def test_nothing_in_common_is_an_error_and_something_is_named(evaluation):
    a, b = evaluation("a", ("gsm8k", "mbpp")), evaluation("b", ("ceval", "mbpp"))
    result = compare(read(a), read(b))
    assert list(result["benchmarks"]) == ["mbpp/greedy"]
    assert result["only_in_one"] == ["ceval/greedy", "gsm8k/greedy"]
    with pytest.raises(DataError) as caught:
        compare(read(evaluation("c", ("gsm8k",))), read(b))
    assert caught.value.got == ["gsm8k/greedy"]


def test_a_domains_mean_needs_all_its_benchmarks_in_full(evaluation):
    names = ("humaneval", "mbpp", "gsm8k")
    a, b = (evaluation(f, names, seed=f) for f in "ab")
    result = compare(read(a), read(b))
    one = [result["benchmarks"][f"{name}/greedy"] for name in names[:2]]
    coding = result["domains"]["greedy"]["Coding"]
    assert coding["difference"] == pytest.approx(sum(d["difference"] for d in one) / 2)
    assert coding["se"] == pytest.approx(sum(d["se"] ** 2 for d in one) ** 0.5 / 2)
    assert coding["high"] - coding["low"] == pytest.approx(2 * 1.96 * coding["se"], rel=0.1)
    mathematics = result["domains"]["greedy"]["Mathematics"]
    assert mathematics["difference"] is None and "theoremqa" in mathematics["why"]

    def part(result, _):
        result["benchmarks"]["mbpp"]["of"] = 500

    a, b = (evaluation(f"{f}part", names, seed=f, change=part) for f in "ab")
    assert compare(read(a), read(b))["domains"]["greedy"]["Coding"]["difference"] is None


def test_samples_of_another_evaluation_are_found_out(evaluation):
    a, b = evaluation("a", seed=1), evaluation("b", seed=2)
    (a / "samples.jsonl").write_text((b / "samples.jsonl").read_text())
    with pytest.raises(DataError, match="grade-only"):
        compare(read(a), read(b))


def test_what_eval_did_not_write_is_an_error(evaluation, tmp_path):
    for text in ("", "[]", "{}", json.dumps({"version": VERSION - 1, "benchmarks": {}})):
        (tmp_path / "eval.json").write_text(text)
        with pytest.raises(DataError, match=r"eval\.json"):
            read(tmp_path)
    with pytest.raises(DataError):
        read(tmp_path / "absent")
    folder = evaluation("a", change=lambda _, lines: lines[3].pop("marks"))
    with pytest.raises(DataError) as caught:
        read(folder)
    assert caught.value.line == 4
    (folder / "samples.jsonl").unlink()
    with pytest.raises(UniAPLError):
        read(folder)


def test_the_verb_prints_a_table_and_json(evaluation):
    a, b = (evaluation(f, ("humaneval", "mbpp"), seed=f) for f in "ab")
    table = CliRunner().invoke(app, ["compare", str(a), str(b)])
    assert table.exit_code == 0 and "Coding/greedy" in table.stdout
    result = CliRunner().invoke(app, ["compare", str(a), str(b), "--json"])
    assert json.loads(result.stdout) == compare(read(a), read(b))
    other = evaluation("other", ("gsm8k",))
    assert CliRunner().invoke(app, ["compare", str(a), str(other)]).exit_code == 2
