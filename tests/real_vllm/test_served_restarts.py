"""A real vLLM that is killed while it is asked: a run waits for it, or stops and resumes."""

import threading
import time
from pathlib import Path

import pytest
import torch

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ServerError
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.generation.served.vllm import VllmGenerator
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy
from uniapl_cli.types import Message, Sampling

SIZES = ["training.steps=6", "sources.rollouts={prompts_per_step: 16, num_generations: 8}"]
SIZES += ["sampling.max_new_tokens=120", "run.save_every=100", "precision=float32"]


@pytest.fixture
def run(train_tiny, tiny_data, tied_server):
    """run(name, *overrides): a short run of the shipped teacher by the server; its folder."""
    behind = ["generation.kind=vllm", f"generation.addresses=[{tied_server.address}]"]
    data = [f"data.prompts={tiny_data['many']}", "model.path=tiny:teacher"]
    return lambda name, *more: train_tiny("grpo", name, *SIZES, *data, *behind, *more)


def crash_after(server, folder: Path, lines: int, then=lambda: None):
    """Kill the server, from beside the run, while the step after so many is sampled."""

    def kill() -> None:
        metrics, deadline = folder / "metrics.jsonl", time.monotonic() + 120
        while not metrics.exists() or metrics.read_text().count("\n") < lines:
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        asked = asked_of(server)
        while asked_of(server) == asked and time.monotonic() < deadline:
            time.sleep(0.01)
        server.crash()
        then()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def asked_of(server) -> int:
    """How many requests for responses the server's log tells of."""
    return (server.folder / "log.txt").read_bytes().count(b"POST /v1/completions")


def test_a_run_goes_on_when_its_server_was_restarted(run, logged, tied_server, tmp_path, caplog):
    with caplog.at_level("WARNING", "uniapl"):
        thread = crash_after(tied_server, tmp_path / "run", 2, then=tied_server.start)
        folder = run("run", "generation.patience=300")
        thread.join()
    assert any(tied_server.address in record.message for record in caplog.records)
    rows = logged(folder)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert max(row["preference/sampler_gap"] for row in rows) < 1e-4
    assert max(row["rollouts/probe_gap"] for row in rows) < 1e-4


def test_a_run_resumes_when_its_server_had_stayed_away(run, logged, tied_server, tmp_path):
    thread = crash_after(tied_server, tmp_path / "run", 2)
    with pytest.raises(ServerError) as caught:
        run("run", "generation.patience=2")
    thread.join()
    assert caught.value.where == f"http://{tied_server.address}"
    kept = RunDirectory(tmp_path / "run").newest_step
    assert 2 <= kept < 6
    tied_server.start()
    rows = logged(run("run"))
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert max(row["preference/sampler_gap"] for row in rows) < 1e-4


@pytest.mark.parametrize(
    "sampling", [{}, {"top_p": 0.8}, {"top_k": 5}, {"temperature": 0.0}], ids=str
)
def test_responses_are_the_policys(tied_server, tmp_path, sampling):
    """Also the log-probabilities of truncated draws, which are those before it."""
    policy = load_policy(resolve("tiny:teacher"), "cpu", "float32")
    chat = Chat(policy.tokenizer)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(1.02)
    texts = ("Hi", "Tell me about the harbour.", "Write about the garden. Do not use any commas.")
    requests = [
        Request(tuple(chat.prompt_ids([Message("user", text)])), tuple(range(6))) for text in texts
    ]
    options = {"addresses": [tied_server.address], "precision": "float32", "scratch": tmp_path}
    made = VllmGenerator(policy.model, chat, **options)
    made.follow(policy)
    drawn = Sampling(**{"temperature": 1.0, **sampling}, max_new_tokens=60)
    answers = in_order(made.generate(requests, drawn), len(requests))
    ends = set()
    for request, own in zip(requests, answers, strict=True):
        assert len(own) == 6
        for answer in own:
            ids = [*request.prompt_ids, *answer.token_ids]
            logps = forward_logps(policy.model, ids, "float32")[len(request.prompt_ids) - 1 :]
            assert torch.tensor(answer.logps) == pytest.approx(logps, abs=1e-4)
            stopped = answer.token_ids[-1] in made.stop_ids
            assert answer.finish_reason == ("stop" if stopped else "length")
            assert answer.text == chat.text(list(answer.token_ids[: -1 if stopped else None]))
            ends.add(answer.finish_reason)
    assert "stop" in ends
