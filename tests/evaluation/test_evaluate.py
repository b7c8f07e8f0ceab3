"""An evaluation of the shipped base: what is written is what was answered."""

import json

import pytest

from uniapl_cli import load_config
from uniapl_cli.chat.thinking import strip_thinking
from uniapl_cli.commands.evaluate import evaluate as evaluate_model
from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.answers import Draw
from uniapl_cli.evaluation.estimates import Estimate
from uniapl_cli.evaluation.evaluate import evaluate
from uniapl_cli.files import read_rows
from uniapl_cli.seeding import derive
from uniapl_cli.teachers import LocalTeacher
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Sampling
from uniapl_cli.verifiers import Judge, constraints, judge

OVERRIDES = (
    "eval.model=tiny:base",
    "eval.data=tiny:heldout",
    "eval.limit=8",
    "eval.metrics=[ifeval, topic, discriminator, length]",
    "discriminator.path=tiny:polar",
    "eval.draws.greedy.sampling.max_new_tokens=24",
    "eval.draws.sampled={samples: 2, sampling: {max_new_tokens: 24}}",
    "run.device=cpu",
    "run.threads=1",
)


def measure(out, *overrides: str) -> dict:
    return evaluate_model(load_config(None, [*OVERRIDES, f"eval.out={out}", *overrides]))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval") / "base"
    measure(folder)
    return folder


@pytest.fixture(scope="module")
def result(out) -> dict:
    return json.loads((out / "eval.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def responses(out) -> list[dict]:
    return [row.values for row in read_rows(out / "responses.jsonl")]


@pytest.fixture(scope="module")
def examples() -> list:
    rows = open_rows(resolve("tiny:heldout"))
    return read_examples(rows, "ifeval", constraints, BadRows(0))[:8]


def test_every_prompt_is_answered_in_its_place(responses, examples):
    ids = [example.id for example in examples]
    greedy = [r["key"] for r in responses if r["draws"] == "greedy"]
    sampled = [r["key"] for r in responses if r["draws"] == "sampled"]
    assert greedy == ids
    assert sampled == [id for id in ids for _ in range(2)]


def test_the_verdicts_are_the_verifiers(responses, examples):
    by_id = {example.id: example for example in examples}
    for row in responses:
        verdict = judge(strip_thinking(row["response"]), by_id[row["key"]].constraints)
        assert row["verdict"] == {"strict": list(verdict.strict), "loose": list(verdict.loose)}


def test_the_means_are_those_of_the_responses(result, responses):
    for name, count in (("greedy", 8), ("sampled", 16)):
        mine = [r for r in responses if r["draws"] == name]
        strict = [all(r["verdict"]["strict"]) for r in mine]
        cut_off = [r["finish_reason"] == "length" for r in mine]
        assert len(mine) == count
        estimates = result["draws"][name]
        assert estimates["prompt_strict"]["mean"] == pytest.approx(sum(strict) / count)
        assert estimates["truncated"]["mean"] == pytest.approx(sum(cut_off) / count)
        assert estimates["prompt_strict"]["n"] == 8


def test_all_metrics_are_there(result):
    ifeval = {"prompt_strict", "prompt_loose", "inst_strict", "inst_loose"}
    others = {"topic", "score", "coef", "length", "truncated", "length_ratio"}
    for estimates in result["draws"].values():
        assert estimates.keys() == ifeval | others


@pytest.mark.slow
def test_the_same_again_is_the_same(out, tmp_path):
    measure(tmp_path, "generation.batch_tokens=200")
    assert (tmp_path / "responses.jsonl").read_bytes() == (out / "responses.jsonl").read_bytes()


def test_another_seed_draws_other_samples(out, tmp_path, responses):
    measure(tmp_path, "seed=1")
    again = [row.values for row in read_rows(tmp_path / "responses.jsonl")]
    same = [a["response"] == b["response"] for a, b in zip(again, responses, strict=True)]
    assert all(same[:8])
    assert not all(same[8:])


def test_an_error_that_cannot_be_told_is_null(tmp_path):
    one = measure(tmp_path, "eval.limit=1")
    assert one["draws"]["greedy"]["prompt_strict"]["se"] is None
    json.dumps(one, allow_nan=False)
    assert "NaN" not in (tmp_path / "eval.json").read_text()


def test_prompts_without_any_constraints_are_refused_before_a_model_is_looked_for(tmp_path):
    data = tmp_path / "plain.jsonl"
    data.write_text('{"prompt": "Hi"}\n' * 2)
    with pytest.raises(DataError) as caught:
        measure(tmp_path, f"eval.data={data}", "eval.metrics=[ifeval]", "eval.model=./nothing")
    assert caught.value.where == f"{data}:1"


def test_metrics_see_the_answers_in_the_order_of_the_prompts(example, echo, chat):
    examples = [example(id, prompt=id) for id in "abc"]
    seen = []

    def metric(answers):
        seen.extend(answer.example.id for answer in answers)
        return {"ones": [(1.0, 1.0)] * len(answers)}

    run = Draw("sampled", 2, Sampling())
    estimates, rows = evaluate(examples, LocalTeacher(echo(), chat), run, [metric], Judge())
    assert seen == [row["key"] for row in rows] == ["a", "a", "b", "b", "c", "c"]
    seeds = [derive(0, "eval", "sampled", id, i) for id in "abc" for i in range(2)]
    assert [row["response"].split()[-1] for row in rows] == list(map(str, seeds))
    assert estimates == {"ones": Estimate(1.0, 0.0, 3)}


def test_every_response_has_its_tokens_its_kwargs_and_its_value_of_each_metric(
    result, responses, examples
):
    for name, estimates in result["draws"].items():
        mine = [r for r in responses if r["draws"] == name]
        assert all(r["metrics"].keys() == estimates.keys() for r in mine)
        for metric in ("topic", "score", "prompt_strict"):
            mean = sum(r["metrics"][metric] for r in mine) / len(mine)
            assert estimates[metric]["mean"] == pytest.approx(mean)
        assert [r["tokens"] for r in mine] == [r["metrics"]["length"] for r in mine]
    by_id = {example.id: [dict(c.kwargs) for c in example.constraints] for example in examples}
    assert all(r["kwargs"] == by_id[r["key"]] for r in responses)
