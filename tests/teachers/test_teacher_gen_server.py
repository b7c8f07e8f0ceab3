"""uniapl teacher-gen against a server: the config, the key, failures, interruptions."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_server import Reply, completion, echo

from uniapl_cli import load_config
from uniapl_cli.commands.teacher_gen import teacher_gen
from uniapl_cli.errors import ConfigError, TeacherError, UniAPLError
from uniapl_cli.files import read_rows, write_rows

KEY = "sk-very-secret-1234"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path):
    """settings(url, *overrides): overrides for eight prompts, two samples each."""
    prompts = tmp_path / "prompts.jsonl"
    write_rows(prompts, [{"key": f"k{n}", "prompt": f"Question {n}"} for n in range(8)])

    def make(url, *overrides):
        return [
            f"teach.prompts={prompts}",
            f"teach.out={tmp_path / 'out.jsonl'}",
            "teach.samples=2",
            "teacher.path=some/model",
            f"teacher.server.url={url}",
            "teacher.server.retries=0",
            "teacher.server.concurrency=4",
            *overrides,
        ]

    return make


@pytest.fixture
def run(settings):
    """run(url, *overrides): teacher-gen in this process; its counts."""

    def start(url, *overrides, dry_run=False):
        return teacher_gen(load_config(None, settings(url, *overrides)), dry_run=dry_run)

    return start


@pytest.fixture
def rows(tmp_path):
    return lambda: [row.values for row in read_rows(tmp_path / "out.jsonl")]


def keys_and_samples(rows):
    return [(row["key"], row["sample"]) for row in rows]


ALL = [(f"k{n}", i) for n in range(8) for i in range(2)]


def test_rows_say_who_answered_what_and_how_long(serve, run, rows):
    server = serve(lambda body, n: completion(f"{body['seed']}", "length" if n == 3 else "stop"))
    counts = run(server.url)
    written_rows = rows()
    assert keys_and_samples(written_rows) == ALL
    assert {row["prompt"] for row in written_rows} == {f"Question {n}" for n in range(8)}
    assert len({row["response"] for row in written_rows}) == 16
    assert {row["model"] for row in written_rows} == {"some/model"}
    assert (
        [row["finish_reason"] for row in written_rows].count("length") == counts["truncated"] == 1
    )
    assert (counts["prompt tokens"], counts["response tokens"]) == (16 * 7, 16 * 3)
    assert counts["failed"] == 0


def test_the_servers_name_for_the_model_goes_before_the_path(serve, run, rows):
    server = serve()
    run(server.url, "teacher.server.model=alias")
    assert {body["model"] for body in server.bodies} == {row["model"] for row in rows()}
    assert server.bodies[0]["model"] == "alias"


def test_a_failure_stops_the_run_which_goes_on_later(serve, run, rows, tmp_path):
    def broken(body, number):
        if "5" in body["messages"][-1]["content"]:
            return Reply(500, b"boom", delay=0.3)
        return echo(body, number)

    with pytest.raises(TeacherError) as caught:
        run(serve(broken).url)
    assert caught.value.line == 6 and "HTTP 500 boom" in str(caught.value)
    before = rows()
    assert 0 < len(before) < 16
    again = serve()
    assert run(again.url)["kept from before"] == len(before)
    assert len(again.bodies) == 16 - len(before)
    assert keys_and_samples(rows()) == ALL
    assert [row for row in rows() if row in before] == sorted(
        before, key=lambda row: (row["key"], row["sample"])
    )


def test_some_failures_can_be_put_up_with(serve, run, rows, caplog):
    def broken(body, number):
        return Reply(500) if "5" in body["messages"][-1]["content"] else echo(body, number)

    counts = run(serve(broken).url, "teach.max_failures=2")
    assert (counts["failed"], counts["rows"]) == (2, 14)
    assert run(serve().url, "teach.max_failures=2")["kept from before"] == 14
    assert keys_and_samples(rows()) == ALL


def test_failures_are_counted_by_kind(serve, run, rows):
    def script(body, number):
        question = body["messages"][-1]["content"]
        if "5" in question:
            return completion("", "content_filter")
        return Reply(500) if "6" in question else echo(body, number)

    counts = run(serve(script).url, "teach.max_failures=4")
    assert counts["failed"] == 4
    assert counts["failed by kind"] == {"ended by content_filter": 2, "HTTP 500": 2}
    assert keys_and_samples(rows()) == [pair for pair in ALL if pair[0] not in ("k5", "k6")]


def test_a_run_that_only_failed_is_an_error(serve, run, tmp_path):
    with pytest.raises(TeacherError) as caught:
        run(serve(lambda body, n: Reply(500)).url, "teach.max_failures=16")
    assert caught.value.got == {"HTTP 500": 16}
    assert caught.value.file == str(tmp_path / "prompts.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    assert run(serve().url)["rows"] == 16
    # With rows of an earlier run, the output is there.
    again = run(serve(lambda body, n: Reply(500)).url, "teach.samples=3", "teach.max_failures=16")
    assert (again["failed"], again["rows"]) == (8, 16)


@pytest.mark.parametrize("spelling", [b"\\ud800", b"\\udcff"])
def test_an_answer_that_is_no_text_is_one_failure_of_its_prompt(serve, run, rows, spelling):
    def script(body, number):
        reply = echo(body, number)
        if "Question 5" not in reply.body.decode():
            return reply
        return replace(reply, body=reply.body.replace(b"Question 5", spelling))

    counts = run(serve(script).url, "teach.max_failures=2")
    assert counts["failed by kind"] == {"unusable text": 2}
    assert keys_and_samples(rows()) == [pair for pair in ALL if pair[0] != "k5"]
    with pytest.raises(TeacherError) as caught:
        run(serve(script).url)
    assert caught.value.line == 6


def test_answers_without_usage_are_kept_and_counted(serve, run, rows):
    def script(body, number):
        reply = echo(body, number)
        return replace(reply, body=reply.body.replace(b'"usage"', b'"x"')) if number < 4 else reply

    server = serve(script)
    counts = run(server.url)
    assert len(server.bodies) == 16
    assert counts["rows without token counts"] == 3
    assert (counts["prompt tokens"], counts["response tokens"]) == (13 * 7, 13 * 3)
    assert [row["response_tokens"] for row in rows()].count(None) == 3
    assert run(serve().url)["rows without token counts"] == 3


def test_an_output_that_cannot_be_written_costs_no_request(serve, run, tmp_path):
    server = serve()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for out in ("file/out.jsonl", "loop"):
        with pytest.raises(UniAPLError):
            run(server.url, f"teach.out={tmp_path / out}")
    assert server.bodies == []


def test_another_server_may_go_on_but_not_another_way_to_ask(serve, run):
    run(serve().url)
    run(serve().url)
    for other in ("teacher.server.extra={min_p: 0.1}", "teacher.server.dialect=lmdeploy"):
        server = serve()
        with pytest.raises(UniAPLError):
            run(server.url, other)
        assert server.bodies == []


@pytest.mark.slow
def test_the_key_comes_from_the_environment_and_is_never_written(
    serve, settings, programs, tmp_path
):
    def script(body, number):
        if number <= 2:
            return Reply(500, f"bad key {KEY}".encode())
        return Reply(401, f"bad key {KEY}".encode()) if number > 12 else echo(body, number)

    server = serve(script)
    retried = ["teacher.server.retries=3", "teacher.server.api_key_env=MY_KEY"]
    for debug in ([], ["--debug"]):
        words = ["teacher-gen", *settings(server.url, *retried), *debug]
        process = programs.start(words, tmp_path, env={"MY_KEY": KEY})
        out, err = process.communicate()
        assert process.returncode != 0
        assert "bad key ***" in err
        assert KEY not in out + err
        assert "httpx" not in err
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"out.jsonl", "out.jsonl.meta.json"}
    assert not [path for path in written if KEY in path.read_text()]


def test_without_a_key_none_is_sent(serve, run):
    server = serve()
    run(server.url)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "override",
    [
        f"teacher.server.api_key_env={KEY}",
        "teacher.server.api_key_env=hf_abc123",
        "teacher.server.api_key_env=NOT_THERE",
        "teacher.server.api_key_env=SPACED",
        f"teacher.server.url=http://me:{KEY}@127.0.0.1/v1",
        f"teacher.server.url=http://127.0.0.1/v1?key={KEY}",
        "teacher.server.url=http://127.0.0.1:99999/v1",
        f"teacher.server.url=http://127.0.0.1:{KEY}/v1",
        "teacher.server.extra={min_p: .nan}",
        "teacher.server.url=127.0.0.1:8000",
        "teacher.server.dialect=vlm",
        "teacher.server.concurrency=0",
        "teacher.server.timeout=0",
        "teacher.server.retries=-1",
        "teacher.path=???",
    ],
)
def test_a_mistake_is_found_before_anything_is_asked(serve, run, monkeypatch, override):
    monkeypatch.setenv("SPACED", f"{KEY} {KEY}")
    server = serve()
    for dry_run in (True, False):
        with pytest.raises(ConfigError) as caught:
            run(server.url, override, dry_run=dry_run)
        assert caught.value.key == override.partition("=")[0]
        assert KEY not in str(caught.value) and KEY not in str(caught.value.got)
    assert server.bodies == []


def test_openais_own_dialect_refuses_what_it_cannot_say(serve, run):
    with pytest.raises(ConfigError) as caught:
        run(serve().url, "teacher.server.dialect=openai", "teach.sampling.top_k=5", dry_run=True)
    assert caught.value.key == "teacher.server.dialect"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_was(serve, settings, programs, rows, tmp_path, number):
    server = serve(lambda body, n: replace(echo(body, n), delay=0.5))
    out = tmp_path / "out.jsonl"
    words = ["teacher-gen", "--json", *settings(server.url, "teacher.server.concurrency=2")]
    first = programs.start(words, tmp_path)
    while not out.exists() or len(out.read_text().splitlines()) < 4:
        assert first.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    first.send_signal(number)
    assert first.wait() == (130 if number == signal.SIGINT else -number)
    assert time.monotonic() - began < 5
    kept = len(out.read_text().splitlines())
    second = programs.start(words, tmp_path)
    counts, err = second.communicate()
    assert second.returncode == 0, err
    assert json.loads(counts)["kept from before"] == kept >= 4
    assert keys_and_samples(rows()) == ALL
    assert Path(f"{out}.meta.json").exists()


@pytest.mark.parametrize("keep", [True, False])
def test_a_prompts_own_answer_is_kept_as_the_reference(serve, settings, tmp_path, keep):
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Its own."}]
    own = [{"key": "a", "prompt": "Hi", "response": "Own."}, {"key": "b", "messages": talk}]
    given = [{"key": "c", "prompt": "Hi", "response": "No.", "reference": "Given."}]
    write_rows(tmp_path / "prompts.jsonl", [*own, *given, {"key": "d", "prompt": "Hi"}])
    overrides = ["data.layout=each", f"teach.keep_answers={str(keep).lower()}", "teach.samples=1"]
    config = load_config(None, settings(serve().url, *overrides))
    for kept in (0, 4):  # the second time, what is there is known again
        assert teacher_gen(config)["kept from before"] == kept
    rows = {row.values["key"]: row.values for row in read_rows(tmp_path / "out.jsonl")}
    assert {key: row.get("reference") for key, row in rows.items()} == {
        "a": "Own." if keep else None,
        "b": "Its own." if keep else None,
        "c": "Given.",
        "d": None,
    }
    assert not {"Own.", "Its own."} & {row["response"] for row in rows.values()}
