"""`uniapl eval` on benchmarks: what is written, gone on with, graded again, refused."""

import json
import shutil
from importlib.util import find_spec

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands import measured
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.errors import ConfigError, DataError, ModelError
from uniapl_cli.evaluation.compare import compare, read
from uniapl_cli.evaluation.report import read_evaluations, scores
from uniapl_cli.files import read_rows
from uniapl_cli.tiny.assets import resolve

SHORT = "eval.draws.greedy.sampling.max_new_tokens=16"


@pytest.fixture
def run(tiny_data, tmp_path):
    """run(*overrides, **how): a shipped model on eight rows in IFEval's layout."""

    def make(*overrides, out=tmp_path / "out", **how):
        benchmark = json.dumps({"ifeval": {"data": str(tiny_data["eight"])}})
        common = [f"eval.benchmarks={benchmark}", f"eval.out={out}", SHORT]
        return evaluate(load_config(None, [*common, "eval.model=tiny:base", *overrides]), **how)

    return make


def samples(out):
    return [row.values for row in read_rows(out / "samples.jsonl")]


def test_every_answer_stands_in_the_samples_with_its_verdict(run, tmp_path, tiny_data):
    sampled = "eval.draws.drawn={samples: 2, sampling: {max_new_tokens: 16}}"
    result = run(sampled)
    rows = samples(tmp_path / "out")
    keys = [row.values["key"] for row in read_rows(tiny_data["eight"])]
    for draw, count in (("greedy", 1), ("drawn", 2)):
        mine = [row for row in rows if row["draws"] == draw]
        assert [row["id"] for row in mine] == [key for key in keys for _ in range(count)]
        found = result["benchmarks"]["ifeval"]["draws"][draw]
        assert found["metrics"]["prompt_strict"]["n"] == 8
        strict = [all(row["strict"]) for row in mine]
        assert found["metrics"]["prompt_strict"]["mean"] == pytest.approx(sum(strict) / len(strict))
        assert found["cut"] == pytest.approx(
            sum(row["finish_reason"] == "length" for row in mine) / len(mine)
        )
    assert result["benchmarks"]["ifeval"]["rule"] == "ifeval/official/1"
    (read,) = read_evaluations([tmp_path / "out" / "eval.json"])
    assert [row[0] for row in scores(read)[1]] == ["IFEval", "IFEval"]


def test_kept_answers_are_graded_again_without_a_model(run, tmp_path, monkeypatch):
    whole = run()
    before = samples(tmp_path / "out")
    monkeypatch.setattr(measured, "Measured", None)
    again = run("eval.model=./gone", "chat.thinking=true", grade_only=True)
    decoding = [r["benchmarks"]["ifeval"]["draws"]["greedy"]["decoding"] for r in (whole, again)]
    assert decoding[0] == decoding[1] and decoding[0]["sampling"]["max_new_tokens"] == 16
    assert samples(tmp_path / "out") == before
    figures = [r["benchmarks"]["ifeval"]["draws"]["greedy"]["metrics"] for r in (whole, again)]
    assert figures[0] == figures[1]


def test_graded_answers_keep_the_name_of_the_model_that_gave_them(run, tmp_path, capsys):
    run("eval.limit=2")
    file = tmp_path / "out" / "eval.json"
    before = json.loads(file.read_text())
    result = run("eval.limit=2", "eval.model=tiny:teacher", grade_only=True)
    after = json.loads(file.read_text())
    assert result["model"] == "tiny:base"
    assert all(before[name] == after[name] for name in ("name", "model", "inputs"))
    assert run("eval.limit=2", "eval.name=mine", grade_only=True)["name"] == "mine"
    file.unlink()
    inputs = run("eval.limit=2", grade_only=True)["inputs"]
    assert inputs["eval.model"]["digest"] == before["inputs"]["eval.model"]["digest"]


@pytest.mark.parametrize("how", [{}, {"dry_run": True}])
def test_answers_made_otherwise_are_refused_before_any_is_asked(run, tmp_path, monkeypatch, how):
    drawn = "eval.draws.drawn={samples: 2, sampling: {max_new_tokens: 8}}"
    run("eval.limit=2", drawn)
    (tmp_path / "out/answers/ifeval.greedy.jsonl").unlink()
    monkeypatch.setattr(measured.LocalTeacher, "answer", None)
    with pytest.raises(DataError) as caught:
        run("eval.limit=2", drawn.replace("8", "9"), **how)
    assert caught.value.key == "eval.out" and "drawn" in caught.value.got


def test_a_file_where_the_answers_folder_should_be_is_told_before_any_is_asked(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "answers").write_text("")
    with pytest.raises(DataError) as caught:
        run(dry_run=True)
    assert caught.value.key == "eval.out"


def test_without_answers_nothing_is_written(run, tmp_path):
    with pytest.raises(ConfigError):
        run(grade_only=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "a.b", "a b", "a" * 99])
@pytest.mark.parametrize("key", ["eval.draws", "eval.benchmarks"])
def test_names_that_files_cannot_have_are_refused(key, name):
    value = {"eval.draws": {name: {}}, "eval.benchmarks": {name: {"kind": "gsm8k"}}}[key]
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"{key}={json.dumps(value)}"])
    assert caught.value.key == key


def test_a_benchmark_stands_for_no_other_one(run, tiny_data):
    benchmark = json.dumps({"gsm8k": {"kind": "ifeval", "data": str(tiny_data["eight"])}})
    with pytest.raises(ConfigError) as caught:
        run(f"eval.benchmarks={benchmark}", "eval.benchmarks.ifeval=null", dry_run=True)
    assert (caught.value.key, caught.value.got) == ("eval.benchmarks.gsm8k", "ifeval")


@pytest.mark.parametrize("value", [5, [], "null"])
def test_a_benchmark_is_no_number_and_no_list(value):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"eval.benchmarks={{gsm8k: {value}}}"])
    assert caught.value.key == "eval.benchmarks.gsm8k" and caught.value.suggestion is None


def test_answers_that_are_missing_cannot_be_graded(run, tmp_path):
    run("eval.limit=3")
    with pytest.raises(ConfigError) as caught:
        run(grade_only=True)
    assert caught.value.got == "ifeval"
    assert len(samples(tmp_path / "out")) == 3


def test_a_limit_that_grows_goes_on_from_what_there_is(run, tmp_path, monkeypatch):
    asked = []
    answer = measured.LocalTeacher.answer

    def counting(self, questions, *arguments):
        asked.append(len(questions))
        yield from answer(self, questions, *arguments)

    monkeypatch.setattr(measured.LocalTeacher, "answer", counting)
    part = run("eval.limit=3")["benchmarks"]["ifeval"]
    run()
    assert asked == [3, 5] and (part["rows"], part["of"]) == (3, 8)
    whole = samples(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    run()
    assert samples(tmp_path / "out") == whole


def test_answers_of_another_model_are_not_mixed_in(run):
    run("eval.limit=2")
    with pytest.raises(DataError) as caught:
        run("eval.limit=2", "eval.model=tiny:teacher")
    assert "eval.out" in caught.value.advice


def test_plain_prompts_need_no_chat_template(run, tmp_path, tokenizer):
    rendered = measured.PlainChat(tokenizer)
    config = load_config(None, ["eval.model=tiny:base", "eval.prompts=plain"])
    assert isinstance(measured.Measured(config).chat, type(rendered))
    run("eval.prompts=plain", "eval.limit=2")
    record = json.loads((tmp_path / "out/answers/ifeval.greedy.jsonl.meta.json").read_text())
    assert record["prompts"] == "plain" and "chat.template" not in record


def test_a_prompt_beyond_the_context_is_told_or_counted(run, tiny_data, tmp_path):
    rows = [row.values for row in read_rows(tiny_data["eight"])][:2]
    rows[0]["prompt"] *= 30
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"eval.benchmarks.ifeval.data={tmp_path / 'rows.jsonl'}"
    with pytest.raises(Exception) as caught:
        run(data)
    assert caught.value.line == 1
    found = run(data, "eval.too_long=wrong")["benchmarks"]["ifeval"]["draws"]["greedy"]
    assert found["cut"] >= 0.5
    assert [row["response"] for row in samples(tmp_path / "out")][0] == ""


def test_a_hub_name_is_fetched_as_a_folder(run, tiny_data, tmp_path, monkeypatch):
    """The stand-in for the hub's client has the repository's layout, with the rows in a folder."""
    asked = []

    def download(name, **how):
        asked.append((name, how["repo_type"]))
        (tmp_path / "snapshot" / "data").mkdir(parents=True)
        shutil.copy(tiny_data["eight"], tmp_path / "snapshot" / "data" / "my_input_data.jsonl")
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = run("eval.benchmarks.ifeval.data=owner/rows", "eval.limit=2")
    assert asked == [("owner/rows", "dataset")]
    assert (found["benchmarks"]["ifeval"]["rows"], found["benchmarks"]["ifeval"]["of"]) == (2, 8)


def test_a_hub_that_is_not_there_is_one_line(run):
    with pytest.raises(DataError) as caught:
        run("eval.benchmarks.ifeval.data=owner/rows")
    assert (caught.value.key, caught.value.got) == ("eval.benchmarks.ifeval.data", "owner/rows")


def test_what_a_run_was_trained_on_is_looked_for_in_the_benchmark(run, tiny_data, tmp_path):
    """The run's own rows hold all eight questions, the others none."""
    made = tmp_path / "run"
    shutil.copytree(resolve("tiny:base"), made / "final")

    def contamination(rows, model):
        settings = {"method": "sft", "data": {"demonstrations": str(tiny_data[rows])}}
        (made / "config.yaml").write_text(json.dumps({**settings, "model": {"path": "tiny:base"}}))
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return run(f"eval.model={model}")["benchmarks"]["ifeval"]["contamination"]

    found = contamination("few", made)
    assert (found["found"], found["questions"], found["n"]) == (8, 8, 13)
    assert found["files"] == [str(tiny_data["few"])]
    assert contamination("few", made / "final") == found
    assert contamination("others", made)["found"] == 0
    assert run("eval.limit=1")["benchmarks"]["ifeval"]["contamination"] is None
    given = [f"eval.contamination.files=[{tiny_data['few']}]", "eval.contamination.n=5"]
    shutil.rmtree(tmp_path / "out")
    named = run("eval.limit=3", *given)["benchmarks"]["ifeval"]["contamination"]
    assert (named["found"], named["n"]) == (3, 5)


def test_training_rows_that_are_not_there_are_told(run, tiny_data, tmp_path, caplog):
    with pytest.raises(DataError) as caught:
        run("eval.contamination.files=[./absent.jsonl]", dry_run=True)
    assert caught.value.key == "eval.contamination.files"
    made = tmp_path / "run"
    shutil.copytree(resolve("tiny:base"), made / "final")
    data = {"demonstrations": "./moved.jsonl", "prompts": str(tiny_data["few"])}
    settings = {"method": "unified", "data": data, "model": {"path": "tiny:base"}}
    (made / "config.yaml").write_text(json.dumps(settings))
    shared = run(f"eval.model={made}", "eval.limit=2")["benchmarks"]["ifeval"]["contamination"]
    assert shared["files"] == [str(tiny_data["few"])] and "moved.jsonl" in caplog.text


@pytest.mark.skipif(find_spec("lm_eval") is not None, reason="lm_eval is installed")
def test_the_harness_is_named_where_it_is_not_installed(run):
    with pytest.raises(ModelError) as caught:
        run("eval.model=./gone", "eval.harness={tasks: [hellaswag]}")
    assert caught.value.key == "eval.harness" and "uniapl[lm-eval]" in caught.value.advice


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["eval.benchmarks.ifeval=null"], "eval.benchmarks"),
        (["eval.benchmarks=[mmul]"], "eval.benchmarks"),
        (["eval.benchmarks={mmul: {}}"], "eval.benchmarks.mmul"),
        (["eval.benchmarks.ifeval.subsets=[French]"], "eval.benchmarks.ifeval.subsets"),
        (["eval.benchmarks=[ifeval]", "eval.benchmark_data=./none"], "eval.benchmark_data"),
        (["eval.benchmarks.ifeval.data=./none"], "eval.benchmarks.ifeval.data"),
    ],
)
def test_a_mistake_is_told_before_a_model_is_looked_for(run, overrides, key):
    with pytest.raises((ConfigError, DataError)) as caught:
        run("eval.model=./gone", *overrides)
    assert str(caught.value.key).startswith(key)


def test_two_rows_of_one_id_are_refused(run, tiny_data, tmp_path):
    text = tiny_data["eight"].read_text()
    (tmp_path / "twice.jsonl").write_text(text + text)
    with pytest.raises(DataError) as caught:
        run(f"eval.benchmarks.ifeval.data={tmp_path / 'twice.jsonl'}")
    assert caught.value.line == 9


def test_a_dry_run_counts_and_writes_nothing(run, tmp_path):
    told = run("eval.limit=3", dry_run=True)["benchmarks"]["ifeval"]
    assert told["rows"] == "3 of 8" and told["answers"] == 3
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError):
        run("eval.model=./not/there", dry_run=True)


def test_two_models_are_compared_by_what_was_written(run, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    run(out=first)
    run("eval.model=tiny:teacher", out=second)
    found = compare(read(first), read(second))["benchmarks"]["ifeval/greedy"]
    means = [
        json.loads((out / "eval.json").read_text())["benchmarks"]["ifeval"]["draws"]["greedy"]
        for out in (first, second)
    ]
    differ = [one["metrics"]["prompt_strict"]["mean"] for one in means]
    assert found["difference"] == pytest.approx(differ[1] - differ[0]) and found["n"] == 8
    longer = tmp_path / "longer"
    run("eval.draws.greedy.sampling.max_new_tokens=17", out=longer)
    with pytest.raises(DataError) as caught:
        compare(read(first), read(longer))
    assert caught.value.key == "decoding"
