"""Requests to the server, what becomes of its answers, and repetitions."""

import logging
import socket
import time
from dataclasses import replace

import pytest
from fake_server import FakeServer, Reply, completion, echo
from faults import FLAWED, MEANT, PASSING, error

from uniapl_cli.http.retries import LONGEST_PAUSE
from uniapl_cli.teachers import Answer, Question
from uniapl_cli.teachers.teacher import flaw
from uniapl_cli.types import Message, Sampling

SEED = 2**62 + 12345
SLOW = {"messages": [{"role": "user", "content": "a"}], "seed": 1}


def first(reply, then=echo):
    """Give `reply` to the first request, and `then` to the others."""
    return lambda body, number: reply if number == 1 else then(body, number)


def always(reply):
    return lambda body, number: reply


@pytest.mark.slow
def test_every_sample_is_a_request_of_its_own_and_knows_its_question(serve, teacher):
    def slow_at_first(body, number):
        answer = echo(body, number)
        return replace(answer, delay=1.0) if answer.body == echo(SLOW, 1).body else answer

    server = serve(slow_at_first)
    results = teacher(server.url, concurrency=4).ask("a", "b", "c", seeds=(1, 2))
    assert len(server.bodies) == 6
    assert {(question, sample): result.text for question, sample, result in results} == {
        (question, sample): f"{prompt} {seed}"
        for question, prompt in enumerate("abc")
        for sample, seed in enumerate((1, 2))
    }
    assert results[-1][:2] == (0, 0)


def test_an_answer_has_its_end_and_its_counts(serve, teacher):
    server = serve(always(completion("Hello", "length", 9)))
    assert teacher(server.url).ask("Hi") == [(0, 0, Answer("Hello", "length", 7, 9))]


def test_the_request_says_how_to_sample_and_what_not_to_think(serve, teacher):
    server = serve()
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=9)
    teacher(server.url, extra={"min_p": 0.1}).ask("Hi", seeds=(SEED,), sampling=sampling)
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0.7,
            "top_p": 0.9,
            "top_k": -1,
            "max_tokens": 9,
            "seed": SEED % 2**31,
            "chat_template_kwargs": {"enable_thinking": False},
            "min_p": 0.1,
            "repetition_penalty": 1.0,
        }
    ]


def test_a_further_field_that_is_null_leaves_one_out(serve, teacher):
    server = serve(always(completion("So.")))
    teacher(server.url, extra={"seed": None, "top_k": None, "stop": ["x"]}).ask("Hi", seeds=(1, 2))
    assert len(server.bodies) == 2
    assert not {"seed", "top_k"} & set(server.bodies[0]) and server.bodies[0]["stop"] == ["x"]


def test_thinking_and_the_system_message_are_passed_on(serve, teacher):
    server = serve()
    teacher(server.url, thinking=True, system="Be brief.").ask("Hi")
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_as_many_requests_are_under_way_as_wanted_and_no_more(serve, teacher):
    server = serve(lambda body, n: replace(echo(body, n), delay=0.1))
    teacher(server.url, concurrency=3).ask(*map(str, range(12)))
    assert server.peak == 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_repeated(serve, teacher, fault):
    server = serve(first(fault))
    run = teacher(server.url)
    assert run.one() == "Hi 5"
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]
    [pause] = run.pauses
    assert 0.25 <= pause <= 0.5 or "Retry-After" in fault.headers


@pytest.mark.parametrize(("kind", "reply"), MEANT.items(), ids=MEANT)
def test_what_the_server_means_is_one_failure_with_its_name(serve, teacher, kind, reply):
    server = serve(first(reply))
    run = teacher(server.url)
    (_, _, failed), (_, _, answer) = run.ask("a", "b")
    assert failed.kind == kind and failed.reason.startswith(server.url)
    assert answer == Answer("b 5", "stop", 7, 3)
    assert (len(server.bodies), run.pauses) == (2, [])


@pytest.mark.parametrize("kind", FLAWED)
def test_what_cannot_be_learnt_from_is_an_answer_all_the_same(serve, teacher, kind):
    ((_, _, answer),) = teacher(serve(first(FLAWED[kind])).url).ask("a")
    assert isinstance(answer, Answer)
    assert flaw(answer.text, answer.finish_reason).kind == kind


def test_counts_of_tokens_may_be_missing(serve, teacher):
    server = serve(always(Reply(body=completion("Hi").body.replace(b"usage", b"x"))))
    assert teacher(server.url).ask("Hi") == [(0, 0, Answer("Hi", "stop", None, None))]
    assert len(server.bodies) == 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_limit_that_was_sent_tells_what_was_cut_off(serve, teacher, name):
    server = serve(always(completion("Hello", None, 20)))
    options = [({}, "length"), ({"max_tokens": None, name: 20}, "length"), ({name: 21}, "stop")]
    for extra, end in options:
        extra = {"max_tokens": None, **extra} if name in extra else extra
        [(_, _, answer)] = teacher(server.url, extra=extra).ask("Hi")
        assert answer.finish_reason == end


def test_the_tools_of_a_question_are_sent(serve, teacher):
    server, tool = serve(), {"type": "function", "function": {"name": "f"}}
    asks = teacher(server.url).teacher
    message = (Message("user", "Hi"),)
    questions = [Question(message, (1,), tools=(tool,)), Question(message, (1,))]
    list(asks.answer(questions, Sampling()))
    assert [body.get("tools") for body in server.bodies] == [[tool], None]


def test_a_proxy_that_fails_is_named_without_its_password(serve, teacher, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://me:sk-secret@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    reason = teacher("http://node7.invalid:8000/v1", retries=0).one()
    assert "http_proxy" in reason and "no_proxy" in reason and "sk-secret" not in reason
    # One that answers in the server's place, too.
    monkeypatch.setenv("http_proxy", serve(always(Reply(503, b"cannot forward"))).url)
    assert "http_proxy" in teacher("http://node7.invalid:8000/v1", retries=0).one()
    # One that forwards is asked with its password.
    forwarding = serve()
    monkeypatch.setenv("http_proxy", forwarding.url.replace("//", "//me:sk-secret@"))
    assert teacher("http://node7.invalid:8000/v1").one() == "Hi 5"
    assert forwarding.headers[0]["Proxy-Authorization"].startswith("Basic ")
    assert forwarding.headers[0]["Host"] == "node7.invalid:8000"
    # This machine is reached without any.
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    assert teacher(serve().url, retries=0).one() == "Hi 5"


@pytest.mark.parametrize("body", [b"\xff\x00\x1b[31m", '"\ud800"'.encode(errors="surrogatepass")])
def test_whatever_a_refusal_says_can_be_printed(serve, teacher, body):
    reason = teacher(serve(always(Reply(400, body))).url).one()
    assert reason.isprintable() and reason.encode()


def test_an_answer_that_takes_too_long_is_requested_again(serve, teacher):
    server = serve(first(Reply(delay=3.0)))
    began = time.monotonic()
    assert teacher(server.url, timeout=0.3).one() == "Hi 5"
    assert time.monotonic() - began < 2.5


def test_a_timeout_names_its_seconds(serve, teacher):
    server = serve(always(Reply(delay=1.0)))
    assert "0.2 s" in teacher(server.url, timeout=0.2, retries=0).one()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_repeated_and_is_one_line(serve, teacher, status):
    server = serve(always(error(status, "unknown\nfield 'top_k'")))
    run = teacher(server.url)
    reason = run.one()
    assert reason.startswith(f"{server.url}: HTTP {status} ")
    assert "field 'top_k'" in reason
    assert "\n" not in reason
    assert ("dialect" in reason) == (status in (400, 422))
    assert len(server.bodies) == 1
    assert run.pauses == []


def test_pauses_grow_up_to_a_bound_and_the_failure_counts_them(serve, teacher):
    server = serve(always(error(500, "overloaded")))
    run = teacher(server.url, retries=10)
    reason = run.one()
    assert "HTTP 500" in reason and "overloaded" in reason and "(11 times)" in reason
    assert len(run.pauses) == 10
    for attempt, pause in enumerate(run.pauses):
        longest = min(0.5 * 2**attempt, LONGEST_PAUSE)
        assert longest / 2 <= pause <= longest


def test_requests_that_failed_together_do_not_return_together(serve, teacher):
    server = serve(lambda body, n: error(500) if n <= 6 else echo(body, n))
    run = teacher(server.url, concurrency=6)
    run.ask("Hi", seeds=range(6))
    assert len(set(run.pauses)) == 6


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("wish", "pause"), [("7", 7), ("0", 0), ("3600", LONGEST_PAUSE)])
def test_the_server_says_how_long_to_wait(serve, teacher, status, wish, pause):
    run = teacher(serve(first(error(status, Retry_After=wish))).url)
    assert run.one() == "Hi 5"
    assert run.pauses == [pause]


def test_a_server_that_is_not_there_is_named(teacher):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reason = teacher(f"http://127.0.0.1:{port}/v1", retries=1).one()
    assert f"127.0.0.1:{port}" in reason and "onnect" in reason and "(2 times)" in reason


def test_a_server_that_dies_and_comes_back_is_waited_for(teacher):
    """As vLLM whose worker is killed: HTTP 500, nobody there, and up again at the same port."""
    dead = error(500, "EngineCore encountered an issue", Connection="close")
    first_life = FakeServer(always(dead)).__enter__()
    run, lives = teacher(first_life.url), [first_life]

    async def restart(seconds):
        if len(run.pauses) == 0:
            first_life.__exit__()
        if len(run.pauses) == 2:
            lives.append(FakeServer(echo, port=first_life.server_port).__enter__())
        run.pauses.append(seconds)

    run.teacher = replace(run.teacher, sleep=restart)
    try:
        assert run.one() == "Hi 5"
    finally:
        lives[-1].__exit__()
    assert len(run.pauses) == 3


def test_one_failure_leaves_the_others_alone(serve, teacher):
    bad = error(400)
    server = serve(lambda body, n: bad if body["messages"][0]["content"] == "b" else echo(body, n))
    results = teacher(server.url, concurrency=2).ask("a", "b", "c")
    assert {question: isinstance(result, Answer) for question, _, result in results} == {
        0: True,
        1: False,
        2: True,
    }


def test_the_first_failure_of_a_kind_is_logged_and_all_are_counted(serve, teacher, caplog):
    server = serve(lambda body, n: error(500) if n <= 3 else echo(body, n))
    with caplog.at_level(logging.INFO, "uniapl"):
        teacher(server.url).ask("a", "b")
    messages = [record.getMessage() for record in caplog.records if record.name == "uniapl"]
    assert len(messages) == 2
    assert messages[0].startswith("rows.jsonl:1: HTTP 500")
    assert "HTTP 500 x3" in messages[1]


def test_thoughts_that_took_all_the_tokens_leave_an_empty_truncated_answer(serve, teacher):
    server = serve(always(completion(None, "length", 9)))
    assert teacher(server.url).ask("Hi") == [(0, 0, Answer("", "length", 7, 9))]


def test_whoever_stops_reading_hangs_up(serve, teacher):
    server = serve(lambda body, n: replace(echo(body, n), delay=5.0 * (n > 1)))
    asks = teacher(server.url, concurrency=2).teacher
    questions = [Question((Message("user", "Hi"),), (1, 2, 3, 4))]
    began = time.monotonic()
    results = asks.answer(questions, Sampling())
    next(results)
    results.close()
    assert time.monotonic() - began < 3
    assert len(server.bodies) <= 3


def test_the_key_is_sent_and_nowhere_to_be_seen(serve, teacher):
    key = "sk-very-secret"
    server = serve(always(error(401, f"wrong key: {key}")))
    run = teacher(server.url, key=key)
    reason = run.one()
    assert server.headers[0]["Authorization"] == f"Bearer {key}"
    assert "wrong key: ***" in reason
    assert key not in reason
    assert key not in repr(run.teacher)


def test_turns_are_sent_whole_and_arguments_as_text(serve, teacher):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"é": 1}}}
    turns = (
        Message("user", "Hi", {"name": "Ada"}),
        Message("assistant", "", {"tool_calls": [call]}),
        Message("tool", "7", {"tool_call_id": "c"}),
    )
    server = serve()
    list(teacher(server.url).teacher.answer([Question(turns, (1,))], Sampling()))
    sent = server.bodies[0]["messages"]
    assert sent[0] == {"role": "user", "content": "Hi", "name": "Ada"}
    assert sent[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"é": 1}'}
    assert sent[2] == {"role": "tool", "content": "7", "tool_call_id": "c"}
    assert call["function"]["arguments"] == {"é": 1}
