"""POLAR behind a real vLLM: the scores are those in this process, whatever the server's default."""

import json
from pathlib import Path

import pytest
from official_polar import official

from uniapl_cli import load_config, score
from uniapl_cli.discriminators import discriminators
from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.errors import ModelError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.oracle import demonstrations
from uniapl_cli.types import Comparison

# Nats; scores are sums of hidden states of size one.
NEAR = 1e-4


@pytest.fixture(scope="session")
def rows():
    """Prompts with the oracle's answers, and with careless ones."""
    lines = Path(resolve("tiny:heldout")).read_text("utf-8").splitlines()[:40]
    prompts = [json.loads(line) for line in lines]
    pairs = zip(demonstrations(prompts, 1), demonstrations(prompts, 2, ignore=0.9), strict=True)
    return [
        {**good, "reference": good["response"], "output": poor["response"]} for good, poor in pairs
    ]


@pytest.fixture(scope="session")
def comparisons(rows):
    made = [
        Comparison(r["prompt"], r["reference"], r["output"], str(n)) for n, r in enumerate(rows)
    ]
    return [*made, Comparison("Why?", "So.", "No.", "short")]


@pytest.fixture(scope="session")
def official_folder(tmp_path_factory):
    """A random checkpoint in the official layout, with heads 32 wide."""
    folder = tmp_path_factory.mktemp("polar") / "official"
    official(folder, hidden=128)
    return folder


@pytest.fixture
def polar_server(served):
    return served("discriminator", "discriminator.path=tiny:polar", "precision=float32")


@pytest.fixture
def sigmoid_server(served):
    """tiny:polar by vLLM's own default."""
    default = "--pooler-config '{\"use_activation\": true}'"
    words = ("discriminator.path=tiny:polar", "precision=float32", "--vllm-args", default)
    return served("discriminator", *words)


@pytest.fixture
def official_server(served, official_folder):
    return served("discriminator", f"discriminator.path={official_folder}", "precision=float32")


def asked(server, path, **more):
    """The discriminator in `path` behind a server."""
    options = {"engine": "vllm", "addresses": [server.address], "path": str(path), **more}
    return discriminators.options("polar_server", **options).make(str(path), "cpu")


def here(path):
    return Polar().make(path, "cpu", "float32")


def test_scores_are_those_in_this_process(polar_server, comparisons):
    path = resolve("tiny:polar")
    ours = here(path).score(comparisons)
    assert max(ours) - min(ours) > 1, "there is something to tell apart"
    assert asked(polar_server, path).score(comparisons) == pytest.approx(ours, abs=NEAR)


def test_a_file_is_scored_alike(polar_server, rows, tmp_path):
    """`uniapl score`, told what `uniapl serve` says to set."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = ["discriminator.path=tiny:polar", f"score.input={tmp_path / 'rows.jsonl'}"]
    common += ["run.device=cpu"]
    for name, words in (("here", []), ("there", polar_server.ready["set"].split())):
        score(load_config(None, [*common, *words, f"score.out={tmp_path / name}"]))
    ours, theirs = (
        [json.loads(line)["score"] for line in (tmp_path / name).read_text().splitlines()]
        for name in ("here", "there")
    )
    assert theirs == pytest.approx(ours, abs=NEAR) and len(ours) == len(rows)


def test_a_server_of_sigmoids_is_asked_for_scores(sigmoid_server, comparisons):
    path = resolve("tiny:polar")
    ours = here(path).score(comparisons)
    assert asked(sigmoid_server, path).score(comparisons) == pytest.approx(ours, abs=NEAR)


def test_sigmoids_are_refused(sigmoid_server, comparisons):
    """A request field of the user's own that asks for them."""
    wrong = asked(sigmoid_server, resolve("tiny:polar"), extra={"use_activation": True})
    with pytest.raises(ModelError) as caught:
        wrong.score(comparisons)
    assert caught.value.got == f"http://{sigmoid_server.address}"


def test_an_official_checkpoint_scores_as_here(official_server, official_folder, comparisons):
    ours = here(official_folder).score(comparisons)
    theirs = asked(official_server, official_folder).score(comparisons)
    assert max(ours) - min(ours) > 0.1
    assert theirs == pytest.approx(ours, abs=NEAR)
