"""`uniapl eval` of a model behind a server: the same rules, the same files."""

import json

import pytest
from fake_server import Reply, completion, echo

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.errors import ConfigError, TeacherError
from uniapl_cli.files import read_rows


@pytest.fixture
def run(tiny_data, tmp_path):
    def make(url, *overrides):
        benchmark = json.dumps({"ifeval": {"data": str(tiny_data["eight"])}})
        server = [f"eval.server.url={url}", "eval.model=org/m", "eval.server.retries=0"]
        common = [f"eval.benchmarks={benchmark}", f"eval.out={tmp_path / 'out'}"]
        return evaluate(load_config(None, [*server, *common, *overrides]))

    return make


def rows(tmp_path, name="samples.jsonl"):
    return [row.values for row in read_rows(tmp_path / "out" / name)]


def test_a_server_is_asked_in_the_models_place(serve, run, tmp_path):
    server = serve()
    result = run(server.url)
    assert len(server.bodies) == 8 and {body["model"] for body in server.bodies} == {"org/m"}
    assert all(row["response"].startswith(row["prompt"]) for row in rows(tmp_path))
    assert result["benchmarks"]["ifeval"]["draws"]["greedy"]["metrics"]["prompt_strict"]["n"] == 8
    run(server.url)
    assert len(server.bodies) == 8


def test_an_empty_answer_is_wrong_and_no_failure(serve, run, tmp_path):
    found = run(serve(lambda body, n: completion("")).url)["benchmarks"]["ifeval"]
    assert found["draws"]["greedy"]["metrics"]["prompt_strict"]["mean"] == 0.0
    assert [row["response"] for row in rows(tmp_path)] == [""] * 8


def test_a_server_that_breaks_off_costs_what_was_under_way(serve, run):
    broken = serve(lambda body, n: echo(body, n) if n < 5 else Reply(500))
    with pytest.raises(TeacherError):
        run(broken.url, "eval.server.concurrency=1")
    whole = serve()
    run(whole.url)
    assert 0 < len(whole.bodies) <= 4


def test_rows_of_ones_own_may_be_asked_of_a_server_too(serve, run, tiny_data, tmp_path):
    own = [f"eval.data={tiny_data['eight']}", "eval.benchmarks.ifeval=null"]
    with pytest.raises(ConfigError) as caught:
        run(serve().url, *own)
    assert caught.value.key == "eval.metrics"
    result = run(serve().url, *own, "eval.metrics=[ifeval]")
    assert result["draws"]["greedy"]["prompt_strict"]["n"] == 8
    assert len(rows(tmp_path, "responses.jsonl")) == 8


def test_plain_prompts_cannot_be_asked_of_a_chat_server(serve, run):
    with pytest.raises(ConfigError) as caught:
        run((server := serve()).url, "eval.prompts=plain")
    assert caught.value.key == "eval.prompts" and not server.bodies


def test_likelihoods_cannot_be_asked_of_a_server(serve, run, tmp_path):
    data = tmp_path / "mmlu" / "test"
    data.mkdir(parents=True)
    (data / "anatomy_test.csv").write_text("Which?,one,two,three,four,B\n")
    benchmark = json.dumps({"mmlu_cloze": {"data": str(tmp_path / "mmlu")}})
    with pytest.raises(ConfigError) as caught:
        run(serve().url, f"eval.benchmarks={benchmark}", "eval.benchmarks.ifeval=null")
    assert (caught.value.key, caught.value.got) == ("eval.server", "mmlu_cloze")
