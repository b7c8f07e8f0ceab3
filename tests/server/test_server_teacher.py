"""What goes to the server, what becomes of its answers, and how it is asked again."""

import json
import logging
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_server import Reply, completion, echo

from uniapl_cli.generation import Answer, Question
from uniapl_cli.patience import LONGEST_PAUSE, retry_after
from uniapl_cli.types import Message, Sampling

SEED = 2**62 + 12345
SLOW = {"messages": [{"role": "user", "content": "a"}], "seed": 1}


def first(reply, then=echo):
    """Give `reply` to the first request, and `then` to the others."""
    return lambda body, number: reply if number == 1 else then(body, number)


def always(reply):
    return lambda body, number: reply


def error(status, said="no", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": {"message": said}}).encode(), named)


@pytest.mark.slow
def test_every_sample_is_a_request_of_its_own_and_knows_its_place(serve, asked):
    def slow_at_first(body, number):
        answer = echo(body, number)
        return replace(answer, delay=1.0) if answer.body == echo(SLOW, 1).body else answer

    server = serve(slow_at_first)
    results = asked(server.url, concurrency=4).ask("a", "b", "c", seeds=(1, 2))
    assert len(server.bodies) == 6
    assert {(place, sample): result.text for place, sample, result in results} == {
        (place, sample): f"{prompt} {seed}"
        for place, prompt in enumerate("abc")
        for sample, seed in enumerate((1, 2))
    }
    assert results[-1][:2] == (0, 0)


def test_an_answer_has_its_end_and_its_counts(serve, asked):
    server = serve(always(completion("Hello", "length", 9)))
    assert asked(server.url).ask("Hi") == [(0, 0, Answer("Hello", "length", 7, 9))]


def test_the_request_says_how_to_sample_and_what_not_to_think(serve, asked):
    server = serve()
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=9)
    asked(server.url, extra={"min_p": 0.1}).ask("Hi", seeds=(SEED,), sampling=sampling)
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
        }
    ]


def test_thinking_and_the_system_message_are_passed_on(serve, asked):
    server = serve()
    asked(server.url, thinking=True, system="Be brief.").ask("Hi")
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_as_many_requests_are_under_way_as_wanted_and_no_more(serve, asked):
    server = serve(lambda body, n: replace(echo(body, n), delay=0.1))
    asked(server.url, concurrency=3).ask(*map(str, range(12)))
    assert server.peak == 3


FAULTS = {
    "500": Reply(500, b"Internal Server Error"),
    "503": error(503),
    "408": error(408),
    "409": error(409),
    "429": error(429),
    "dropped": Reply(drop=True),
    "half an object": Reply(body=b'{"choices": [{"mess'),
    "no JSON": Reply(body=b"<html>", headers={"Content-Type": "text/html"}),
    "no bytes": Reply(),
    "a list": Reply(body=b"[]"),
    "no choices": Reply(body=b'{"choices": [], "usage": {}}'),
    "no counts": Reply(body=completion("x").body.replace(b"completion_tokens", b"x")),
    "no text": completion(None),
    "aborted": completion("Hel", "abort"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_may_pass_is_asked_again(serve, asked, fault):
    server = serve(first(fault))
    run = asked(server.url)
    assert run.one() == "Hi 5"
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]
    [pause] = run.pauses
    assert 0.25 <= pause <= 0.5


def test_an_answer_that_takes_too_long_is_asked_for_again(serve, asked):
    server = serve(first(Reply(delay=3.0)))
    began = time.monotonic()
    assert asked(server.url, timeout=0.3).one() == "Hi 5"
    assert time.monotonic() - began < 2.5


def test_a_timeout_is_said_as_such(serve, asked):
    server = serve(always(Reply(delay=1.0)))
    assert "0.2 s" in asked(server.url, timeout=0.2, retries=0).one()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_asked_again_and_said_in_one_line(serve, asked, status):
    server = serve(always(error(status, "unknown\nfield 'top_k'")))
    run = asked(server.url)
    reason = run.one()
    assert reason.startswith(f"{server.url}: HTTP {status} ")
    assert "field 'top_k'" in reason
    assert "\n" not in reason
    assert ("dialect" in reason) == (status in (400, 422))
    assert len(server.bodies) == 1
    assert run.pauses == []


def test_pauses_grow_up_to_a_bound_and_the_end_says_how_often(serve, asked):
    server = serve(always(error(500, "overloaded")))
    run = asked(server.url, retries=10)
    reason = run.one()
    assert "HTTP 500" in reason and "overloaded" in reason and "(11 times)" in reason
    assert len(run.pauses) == 10
    for attempt, pause in enumerate(run.pauses):
        longest = min(0.5 * 2**attempt, LONGEST_PAUSE)
        assert longest / 2 <= pause <= longest


def test_requests_that_failed_together_do_not_return_together(serve, asked):
    server = serve(lambda body, n: error(500) if n <= 6 else echo(body, n))
    run = asked(server.url, concurrency=6)
    run.ask("Hi", seeds=range(6))
    assert len(set(run.pauses)) == 6


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("wish", "pause"), [("7", 7), ("0", 0), ("3600", LONGEST_PAUSE)])
def test_the_server_says_how_long_to_wait(serve, asked, status, wish, pause):
    run = asked(serve(first(error(status, Retry_After=wish))).url)
    assert run.one() == "Hi 5"
    assert run.pauses == [pause]


def test_retry_after_may_be_a_date():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 38 <= retry_after({"retry-after": then}) <= 40
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=40), usegmt=True)
    assert retry_after({"retry-after": past}) == 0


@pytest.mark.parametrize("wish", ["soon", "nan", "inf", "", "Fri, 99 Nov 2026 00:00:00 GMT"])
def test_a_senseless_retry_after_is_none(wish):
    assert retry_after({"retry-after": wish}) is None


def test_a_server_that_is_not_there_is_named(asked):
    pytest.importorskip("openai")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reason = asked(f"http://127.0.0.1:{port}/v1", retries=1).one()
    assert f"127.0.0.1:{port}" in reason and "onnect" in reason and "(2 times)" in reason


def test_one_failure_leaves_the_others_alone(serve, asked):
    bad = error(400)
    server = serve(lambda body, n: bad if body["messages"][0]["content"] == "b" else echo(body, n))
    results = asked(server.url, concurrency=2).ask("a", "b", "c")
    assert {place: isinstance(result, Answer) for place, _, result in results} == {
        0: True,
        1: False,
        2: True,
    }


def test_the_first_trouble_of_a_kind_is_told_and_all_are_counted(serve, asked, caplog):
    server = serve(lambda body, n: error(500) if n <= 3 else echo(body, n))
    with caplog.at_level(logging.INFO, "uniapl"):
        asked(server.url).ask("a", "b")
    told = [record.getMessage() for record in caplog.records if record.name == "uniapl"]
    assert len(told) == 2
    assert told[0].startswith("rows.jsonl:1: HTTP 500")
    assert "HTTP 500 x3" in told[1]


def test_thoughts_that_took_all_the_tokens_leave_an_empty_truncated_answer(serve, asked):
    server = serve(always(completion(None, "length", 9)))
    assert asked(server.url).ask("Hi") == [(0, 0, Answer("", "length", 7, 9))]


def test_whoever_stops_reading_hangs_up(serve, asked):
    server = serve(lambda body, n: replace(echo(body, n), delay=5.0 * (n > 1)))
    teacher = asked(server.url, concurrency=2).teacher
    questions = [Question((Message("user", "Hi"),), (1, 2, 3, 4))]
    began = time.monotonic()
    results = teacher.answer(questions, Sampling())
    next(results)
    results.close()
    assert time.monotonic() - began < 3
    assert len(server.bodies) <= 3


def test_the_key_is_sent_and_nowhere_to_be_seen(serve, asked):
    key = "sk-very-secret"
    server = serve(always(error(401, f"wrong key: {key}")))
    run = asked(server.url, key=key)
    reason = run.one()
    assert server.headers[0]["Authorization"] == f"Bearer {key}"
    assert "wrong key: ***" in reason
    assert key not in reason
    assert key not in repr(run.teacher)
