"""Servers that answer with sigmoids of scores are noticed; those whose scores are small are not.

vLLM's stand-in is what was measured of it: through a sigmoid, unless `use_activation` is false.
"""

import math

import pytest
from fake_engines import SHAPES, Reply

from uniapl_cli.discriminators.remote.activation import probes
from uniapl_cli.discriminators.remote.engines import engines
from uniapl_cli.discriminators.remote.servers import PolarServers, serialiser
from uniapl_cli.errors import ModelError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Comparison

POLAR = resolve("tiny:polar")
SHAPE = {"sglang": "list", "vllm": "flat", "lmdeploy": "scalar"}
COMPARISONS = [
    Comparison("Tell me.", "the harbour is old", " ".join(["gulls"] * n), f"rows:{n}")
    for n in range(1, 7)
]


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


def obedient(body):
    """As vLLM: the default is a sigmoid."""
    return body.get("use_activation", True)


def deaf(body):
    """As a server that knows no such field."""
    return True


def raw(body):
    """As a server started with raw scores, and deaf to requests."""
    return False


def script(engine, score, activates):
    """The script of a server: `activates(body)` is whether it applies a sigmoid."""
    answer = SHAPES[engine, SHAPE[engine]][1]

    def of(body, _):
        apply = sigmoid if activates(body) else float
        return answer(body, lambda ids: apply(score(ids)))

    return of


def client(engine, *servers, **options):
    addresses = [f"http://{server.address}" for server in servers]
    defaults = {"chunk": 3, "concurrency": 1, "retries": 0}
    made = engines[engine].definition()
    return PolarServers(serialiser(POLAR), made, addresses, **{**defaults, **options})


@pytest.fixture
def model(judge):
    return lambda ids: judge.scorer([tuple(ids)], [()])[0]


@pytest.fixture
def small(judge):
    """Scores between 0 and 1 of the data, and others of other inputs."""
    scores = {tuple(judge.polar.encode(c)): n / 8 for n, c in enumerate(COMPARISONS, 1)}
    return lambda ids: scores.get(tuple(ids), -3.0)


def test_vllm_is_asked_for_scores(serve, judge, model):
    server = serve(script("vllm", model, obedient))
    scores = client("vllm", server).score(COMPARISONS)
    assert scores == pytest.approx(judge.score(COMPARISONS), abs=1e-5)
    assert len(server.bodies) == 2  # nothing more is asked where scores show that they are


@pytest.mark.parametrize("engine", SHAPE)
def test_a_server_of_sigmoids_is_refused_with_the_cure(serve, model, engine):
    server = serve(script(engine, model, deaf))
    with pytest.raises(ModelError) as caught:
        client(engine, server).score(COMPARISONS)
    assert server.address in caught.value.got
    assert caught.value.advice == engines[engine].definition().cure
    assert len(server.bodies) <= 4  # two chunks may be under way, each looked at once


def test_further_fields_that_ask_for_sigmoids_are_noticed(serve, model):
    server = serve(script("vllm", model, obedient))
    with pytest.raises(ModelError) as caught:
        client("vllm", server, extra={"use_activation": True}).score(COMPARISONS)
    assert "use_activation" in caught.value.advice


@pytest.mark.parametrize(("engine", "activates"), [
    ("vllm", obedient), ("vllm", raw), ("sglang", raw), ("lmdeploy", raw),
])  # fmt: skip
def test_small_scores_are_scores(serve, small, engine, activates):
    server = serve(script(engine, small, activates))
    asks = client(engine, server, chunk=6)
    first = asks.score(COMPARISONS)
    assert all(0 < score < 1 for score in first)
    requests = len(server.bodies)
    assert requests <= 3
    assert asks.score(COMPARISONS) == first
    assert len(server.bodies) == requests + 1  # a server is asked once


def test_a_server_that_cannot_be_asked_for_sigmoids_is_probed(serve, small):
    answer = script("vllm", small, raw)
    server = serve(lambda body, n: Reply({}, 400) if body["use_activation"] else answer(body, n))
    assert client("vllm", server).score(COMPARISONS)


def test_each_server_is_looked_at(serve, model):
    servers = [serve(script("vllm", model, activates)) for activates in (obedient, deaf)]
    with pytest.raises(ModelError) as caught:
        client("vllm", *servers, chunk=1).score(COMPARISONS)
    assert servers[1].address in caught.value.got


def test_probes_keep_the_last_id():
    rows = [[1, 2, 3], [*range(40), 99]]
    made = probes(rows)
    assert all(row[-1] == 99 and 2 <= len(row) <= 41 for row in made)
    assert len({tuple(row) for row in made}) == len(made) >= 8
    assert all(row[-1] == 3 for row in probes(rows[:1]))
