"""Scores from servers are those of the same model here; what no server scores is an error."""

import asyncio
import math
import threading
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fake_engines import SHAPES, Reply
from pydantic import ValidationError

from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.discriminators.polar.serialise import Format
from uniapl_cli.discriminators.remote.engines import engines, read_score
from uniapl_cli.discriminators.remote.servers import PolarServers, serialiser
from uniapl_cli.errors import ConfigError, ModelError, ServerError, UniAPLError
from uniapl_cli.http.retries import LONGEST_PAUSE
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Comparison

POLAR = Path(resolve("tiny:polar"))
OFFICIAL = Path(__file__).parents[3].parent / "shared" / "data" / "polar" / "tiny_a"
WORDS = ["the", "harbour", "is", "old", "and", "gulls", "are", "calm", "I", "know", "boats", "well"]


@pytest.fixture(scope="module")
def comparisons():
    return [
        Comparison("Tell me.", " ".join(WORDS[:4]), " ".join(WORDS[: 1 + n % 12]), f"rows:{n}")
        for n in range(1, 14)
    ]


@pytest.fixture(scope="module")
def score(judge):
    """score(ids): the model's score of a row of ids, one row at a time."""
    lock = threading.Lock()

    def of(ids):
        with lock:
            return judge.scorer([tuple(ids)], [()])[0]

    return of


class Client:
    """A PolarServers whose pauses take no time but are written down."""

    def __init__(self, *servers, engine="lmdeploy", **options):
        self.pauses = []
        defaults = {"chunk": 4, "concurrency": 1, "retries": 2, "sleep": self._pause}
        addresses = [f"http://{getattr(server, 'address', server)}" for server in servers]
        self.asks = PolarServers(
            serialiser(POLAR), engines[engine].definition(), addresses, **{**defaults, **options}
        )

    async def _pause(self, seconds):
        self.pauses.append(seconds)

    def score(self, comparisons):
        return self.asks.score(comparisons)


@pytest.fixture
def honest(score):
    """honest(engine, shape): the script of a server that does what it should."""

    def of(engine="lmdeploy", shape="scalar"):
        return lambda body, _: SHAPES[engine, shape][1](body, score)

    return of


def failing(script, *replies):
    """Send these first, one a request."""
    return lambda body, n: replies[n - 1] if n <= len(replies) else script(body, n)


@pytest.mark.parametrize(("engine", "shape"), SHAPES)
@pytest.mark.parametrize(("chunk", "concurrency"), [(1, 4), (5, 2), (100, 1)])
def test_scores_are_those_of_the_model_here(
    serve, honest, judge, comparisons, engine, shape, chunk, concurrency
):
    server = serve(honest(engine, shape))
    client = Client(server, engine=engine, chunk=chunk, concurrency=concurrency)
    assert client.score(comparisons) == pytest.approx(judge.score(comparisons), abs=1e-5)
    assert set(server.paths) == {SHAPES[engine, shape][0]}
    assert len(server.bodies) == math.ceil(len(comparisons) / chunk)
    assert server.peak <= concurrency
    assert client.pauses == []


def test_an_event_loop_may_be_running(serve, honest, judge, comparisons):
    """As in a notebook."""
    client = Client(serve(honest()))

    async def cell():
        return client.score(comparisons)

    assert asyncio.run(cell()) == pytest.approx(judge.score(comparisons), abs=1e-5)


def test_nothing_to_score(serve, honest):
    assert Client(serve(honest())).score([]) == []


SENT = {
    "sglang": ("list", "input_ids", {}),
    "vllm": ("nested", "input", {"use_activation": False}),
    "lmdeploy": ("scalar", "input", {}),
}


@pytest.mark.parametrize("engine", SENT)
def test_servers_are_sent_the_ids_and_no_text(serve, honest, judge, comparisons, engine):
    shape, field, more = SENT[engine]
    server = serve(honest(engine, shape))
    Client(server, engine=engine, chunk=1).score(comparisons[:1])
    assert server.bodies == [{field: [judge.polar.encode(comparisons[0])], **more}]


def test_model_and_further_fields_are_sent_where_they_are_given(serve, honest, comparisons):
    server = serve(honest())
    Client(server, model="polar", extra={"task": "classify"}).score(comparisons[:1])
    assert server.bodies[0].keys() == {"model", "input", "task"}
    assert server.bodies[0]["model"] == "polar"


@pytest.mark.parametrize("value", [math.nan, date(2026, 1, 1)])
def test_further_fields_that_are_no_json_are_refused(serve, honest, comparisons, value):
    server = serve(honest())
    client = Client(server, extra={"field": value})
    with pytest.raises(ModelError) as caught:
        client.score(comparisons[:1])
    assert caught.value.where == "rows:1" and server.bodies == client.pauses == []


def test_requests_go_to_several_servers_in_turn(serve, honest, judge, comparisons):
    servers = [serve(honest()) for _ in range(3)]
    scores = Client(*servers, chunk=2).score(comparisons)
    assert scores == pytest.approx(judge.score(comparisons), abs=1e-5)
    assert [len(server.bodies) for server in servers] == [3, 2, 2]


def test_what_one_server_fails_at_another_does(serve, honest, judge, comparisons):
    broken, whole = serve(lambda *_: Reply({}, 503)), serve(honest())
    closed = serve(honest())
    closed.stop()
    scores = Client(broken, closed, whole).score(comparisons)
    assert scores == pytest.approx(judge.score(comparisons), abs=1e-5)
    assert len(whole.bodies) == 4


TROUBLES = {
    "HTTP 500": Reply({"detail": "broken"}, 500),
    "HTTP 429": Reply({}, 429),
    "no JSON": Reply(b"<html>"),
    "no UTF-8": Reply(b"\xff"),
    "an error with status 200": Reply({"error": {"message": "busy"}}),
    "hung up": Reply(drop=True),
    "cut off": Reply({"data": []}, missing=9),
    "too slow": Reply({}, delay=1.0),
    "trickling in": Reply({"data": "x" * 60}, drip=0.05),
    "no data": Reply({"object": "list"}),
    "a list": Reply([]),
    "short": Reply({"data": [{"index": 0, "data": 1.0}]}),
    "null": Reply({"data": [{"index": n, "data": None} for n in range(4)]}),
    "text": Reply({"data": [{"index": n, "data": "AACA"} for n in range(4)]}),
    "true": Reply({"data": [{"index": n, "data": True} for n in range(4)]}),
    "NaN": Reply({"data": [{"index": n, "data": math.nan} for n in range(4)]}),
    "empty": Reply({"data": [{"index": n, "data": []} for n in range(4)]}),
    "twice the same index": Reply({"data": [{"index": 1, "data": 1.0}] * 4}),
    "strange index": Reply({"data": [{"index": "a", "data": 1.0}] * 4}),
    "entries that are numbers": Reply({"data": [1.0] * 4}),
    "a vector": Reply({"data": [{"index": n, "data": [0.5] * 64} for n in range(4)]}),
    "vectors": Reply({"data": [{"index": n, "data": [[0.5] * 64]} for n in range(4)]}),
}


SLOW = ("too slow", "trickling in")


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble", [pytest.param(t, marks=[pytest.mark.slow] if t in SLOW else []) for t in TROUBLES]
)
def test_trouble_is_asked_away_or_told_with_the_row(serve, honest, judge, comparisons, trouble):
    rows = comparisons[:4]
    server = serve(failing(honest(), *[TROUBLES[trouble]] * 2))
    client = Client(server, timeout=0.5)
    assert client.score(rows) == pytest.approx(judge.score(rows), abs=1e-5)
    assert len(server.bodies) == 3 and len(client.pauses) == 2

    always = serve(lambda *_: TROUBLES[trouble])
    with pytest.raises(ModelError) as caught:
        Client(always, timeout=0.5).score(rows)
    assert len(always.bodies) == 3
    assert caught.value.where in {row.id for row in rows}
    assert "(3 times)" in caught.value.problem and "\n" not in str(caught.value)


def test_sglang_started_for_embeddings_is_refused(serve, comparisons):
    """Its first number would pass for a score."""
    server = serve(lambda body, _: [{"embedding": [0.1] * 64} for _ in body["input_ids"]])
    with pytest.raises(ModelError) as caught:
        Client(server, engine="sglang", retries=0).score(comparisons[:2])
    assert "64 numbers" in caught.value.got


def test_a_server_that_is_not_there_is_told(serve, honest, comparisons):
    gone = serve(honest())
    gone.stop()
    with pytest.raises(ServerError) as caught:  # after which a run goes on from where it was
        Client(gone).score(comparisons[:1])
    assert caught.value.where == "rows:1" and gone.address in caught.value.problem


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_row_that_a_server_refuses_is_found_among_the_others(
    serve, honest, judge, comparisons, status
):
    longest = judge.polar.encode(comparisons[11])

    def script(body, n):
        bad = Reply({"message": "too long"}, status)
        return bad if longest in body["input"] else honest()(body, n)

    server = serve(script)
    client = Client(server, chunk=16)
    with pytest.raises(ModelError) as caught:
        client.score(comparisons)
    assert caught.value.where == "rows:12"
    assert f"HTTP {status}" in caught.value.got and "too long" in caught.value.got
    assert client.pauses == []


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_what_no_repetition_mends_is_not_repeated(serve, comparisons, status):
    server = serve(lambda *_: Reply({}, status, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(ModelError) as caught:
        Client(server).score(comparisons[:3])
    assert f"HTTP {status}" in caught.value.got
    assert len(server.bodies) == 1


def test_the_row_with_a_score_that_is_none_is_named(serve, honest, judge, comparisons):
    third = judge.polar.encode(comparisons[2])

    def script(body, n):
        answer = honest()(body, n)
        for entry in answer["data"]:
            if body["input"][entry["index"]] == third:
                entry["data"] = None
        return answer

    with pytest.raises(ModelError) as caught:
        Client(serve(script)).score(comparisons[:4])
    assert caught.value.where == "rows:3" and "None" in caught.value.got


def test_pauses_grow_and_a_servers_wish_is_heard_within_bounds(serve, comparisons):
    client = Client(serve(lambda *_: Reply({}, 500)), retries=9)
    with pytest.raises(ModelError):
        client.score(comparisons[:1])
    assert len(client.pauses) == 9
    for attempt, pause in enumerate(client.pauses):
        longest = min(0.5 * 2**attempt, LONGEST_PAUSE)
        assert longest / 2 <= pause <= longest
    for wish, pause in (("7", 7), ("3600", LONGEST_PAUSE)):
        server = serve(lambda *_, wish=wish: Reply({}, 429, {"Retry-After": wish}))
        client = Client(server, retries=1)
        with pytest.raises(ModelError):
            client.score(comparisons[:1])
        assert client.pauses == [pause]


def test_a_failure_ends_the_waiting_of_the_others(serve, judge, comparisons):
    last = judge.polar.encode(min(comparisons, key=lambda c: len(c.candidate)))

    def script(body, _):
        return Reply({}, 401) if last in body["input"] else Reply({}, 503, {"Retry-After": "50"})

    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        Client(serve(script), chunk=1, concurrency=20, sleep=asyncio.sleep).score(comparisons)
    assert "HTTP 401" in caught.value.got
    assert time.monotonic() - began < 20


def test_the_key_is_sent_and_never_told(serve, comparisons):
    server = serve(lambda *_: Reply({"message": "no such key: sesame"}, 401))
    asks = Client(server, key="sesame").asks
    with pytest.raises(ModelError) as caught:
        asks.score(comparisons[:1])
    assert "no such key: ***" in caught.value.got and "sesame" not in str(caught.value)
    assert server.headers[0]["Authorization"] == "Bearer sesame"
    assert "sesame" not in repr(asks)


def test_proxies_of_the_environment_are_not_asked(serve, honest, comparisons, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = serve(honest())
    Client(server).score(comparisons[:1])
    assert len(server.bodies) == 1


def test_the_registered_kind(serve, honest, judge, comparisons, monkeypatch):
    monkeypatch.setenv("POLAR_KEY", "sesame")
    server = serve(honest())
    options = {"engine": "lmdeploy", "addresses": [server.address], "api_key_env": "POLAR_KEY"}
    client = discriminators.options("polar_server", **options).make(POLAR, "cpu")
    assert client.score(comparisons) == pytest.approx(judge.score(comparisons), abs=1e-5)
    assert server.headers[0]["Authorization"] == "Bearer sesame"


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "vlm"},
        {"addresses": []},
        {"addresses": "x:1"},
        {"addresses": ["ftp://x"]},
        {"addresses": ["http://me:sesame@x"]},
        {"addresses": ["x:1", "me:sesame@x"]},
        {"addresses": ["http://x/?key=sesame"]},
        {"chunk": 0},
        {"concurrency": 0},
        {"retries": -1},
        {"timeout": 0.0},
        {"api_key_env": "sesame"},
        {"address": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    options = {"engine": "vllm", "addresses": ["127.0.0.1:1"], **wrong}
    with pytest.raises(ValidationError) as caught:
        discriminators.options("polar_server", **options)
    [error] = caught.value.errors()
    assert error["loc"][0] in wrong
    assert "sesame" not in error["msg"]


@pytest.mark.parametrize("held", [None, "", "open sesame"])
def test_a_key_that_is_none_is_found_before_anything_is_asked(monkeypatch, held):
    options = {"engine": "vllm", "addresses": ["127.0.0.1:1"], "api_key_env": "POLAR_KEY"}
    if held is not None:
        monkeypatch.setenv("POLAR_KEY", held)
    with pytest.raises(ConfigError) as caught:
        discriminators.options("polar_server", **options).check()
    assert "sesame" not in str(caught.value)


def test_any_other_models_folder_is_refused():
    with pytest.raises(ModelError) as caught:
        serialiser(Path(resolve("tiny:base")))
    assert caught.value.got == ["separator_token_id", "reward_token_id"]
    with pytest.raises(ModelError) as caught:
        serialiser(Path("/absent"))
    assert caught.value.got == Path("/absent")


@pytest.mark.parametrize(
    ("entry", "tokens"), [(-1.5, 3), (-2, 3), ([-1.5], 3), ([0, 9, -1.5], 3), ([[9], [-1.5]], 3)]
)
def test_a_score_in_all_its_shapes(entry, tokens):
    assert read_score(entry, tokens) in (-1.5, -2)


@pytest.mark.parametrize("entry", [None, "1", True, [], [[]], [1, 2], [[1, 2]], math.inf, {}, [{}]])
def test_what_is_no_score(entry):
    with pytest.raises(ValueError):
        read_score(entry, 3)


@pytest.mark.shared
@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="shared/data/polar/tiny_a is not here")
@pytest.mark.slow
def test_servers_of_an_official_checkpoint_are_sent_its_ids(serve, comparisons):
    here = Polar().make(OFFICIAL, "cpu")
    lock = threading.Lock()

    def script(body, _):
        with lock:
            rows = [tuple(row) for row in body["input"]]
            scores = here.scorer(rows, [()] * len(rows))
        return {"data": [{"index": n, "data": [[0.0], [s]]} for n, s in enumerate(scores)]}

    options = {"engine": "vllm", "addresses": [serve(script).address], "chunk": 5}
    client = discriminators.options("polar_server", **options).make(OFFICIAL, "cpu")
    assert client.score(comparisons) == pytest.approx(here.score(comparisons), abs=1e-4)


def test_what_is_cut_is_told(serve, honest, caplog):
    short = serialiser(POLAR, format=Format(max_response_length=3))
    server = serve(honest())
    asks = replace(Client(server).asks, serialiser=short)
    long = Comparison("Tell me.", "The sea.", "The sea is old and calm.", "rows:1")
    with caplog.at_level("WARNING", "uniapl"):
        asks.score([long, replace(long, candidate="The")])
    assert "2 comparisons" in caplog.text and "rows:1" in caplog.text


@pytest.mark.slow
def test_training_asks_servers_which_may_have_moved_when_it_goes_on(
    serve, honest, train_tiny, logged
):
    def train(server, engine="lmdeploy"):
        section = "{kind: polar_server, path: tiny:polar, retries: 0, "
        section += f"engine: {engine}, addresses: [{server.address}]}}"
        kind = [f"discriminator={section}"]
        return train_tiny("agrpo", "run", "schedules.lambda_adv=0.01", *kind)

    first = serve(honest())
    run = train(first)
    assert len(first.bodies) == 4 * 2  # a step: its rollouts, and the teacher against itself
    lines = logged(run)
    assert len(lines) == 4
    for line in lines:
        names = {name.rpartition("anchor/")[2] for name in line if "anchor/" in name}
        assert {"coef", "coef_std", "coef_r", "coef_r_std"} <= names
    assert train(serve(honest())) == run
    with pytest.raises(UniAPLError) as caught:
        train(first, "vllm")
    assert "engine" in str(caught.value)
