"""The server that `uniapl serve policy` starts is of the model that was named, and ends whole."""

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
import torch

from uniapl_cli import evaluate, load_config
from uniapl_cli.evaluation.results import RESPONSES
from uniapl_cli.files import read_rows
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model

WARM, TEMPLATE = 0.7, "chat.template=qwen3"


@pytest.fixture(scope="session")
def odd_policy(tmp_path_factory):
    """tiny:teacher with settings of a base model: another end of text, and habits of drawing."""
    folder = tmp_path_factory.mktemp("odd") / "model"
    shutil.copytree(resolve("tiny:teacher"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    tokenizer = load_tokenizer(folder)
    end = tokenizer.bos_token_id
    tokenizer.eos_token = tokenizer.bos_token
    tokenizer.save_pretrained(folder)
    habits = {"eos_token_id": end, "repetition_penalty": 1.5, "top_k": 3, "do_sample": True}
    (folder / "generation_config.json").write_text(json.dumps(habits))
    return folder


@pytest.fixture
def odd_server(served, odd_policy):
    words = (f"model.path={odd_policy}", f"sampling.temperature={WARM}", TEMPLATE)
    return served("policy", *words, "precision=float32")


def post(server, route, body):
    request = urllib.request.Request(
        f"http://{server.address}/{route}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def gap(server, path, temperature):
    """The largest difference of what a server says of its draws, and the model's own."""
    prompt = list(range(5, 25))
    body = {"model": "policy", "prompt": prompt, "max_tokens": 32, "temperature": temperature}
    body |= {"logprobs": 0, "return_token_ids": True, "repetition_penalty": 1.0, "top_k": -1}
    (choice,) = post(server, "v1/completions", body)["choices"]
    ids = choice["token_ids"]
    model = load_model(path, "cpu")
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + ids])).logits[0]
    logps = (logits / temperature).log_softmax(-1)
    ours = logps[len(prompt) - 1 : -1].gather(1, torch.tensor(ids).unsqueeze(1)).squeeze(1)
    return (ours - torch.tensor(choice["logprobs"]["token_logprobs"])).abs().max()


def test_it_is_the_model_that_was_named(tied_server):
    """Its log-probabilities of its own draws are the model's, though its head is apart."""
    assert gap(tied_server, resolve("tiny:teacher"), 1.0) < 1e-4


def test_a_server_that_was_killed_comes_back_at_its_address(served, tied_server):
    address = tied_server.address
    tied_server.crash()
    assert not tied_server.answers()
    again = served(*tied_server.words)
    assert again.address == address and again.answers()


def test_log_probabilities_are_those_at_the_temperature(odd_server, odd_policy):
    assert gap(odd_server, odd_policy, WARM) < 1e-4


def test_prompts_and_ends_are_those_of_the_run(odd_server, odd_policy, tmp_path):
    """The run's chat template and stop token, neither of which the model's folder has."""
    data = Path(tmp_path / "prompts.jsonl")
    data.write_text("\n".join(Path(resolve("tiny:heldout")).read_text("utf-8").splitlines()[:24]))
    behind = [f"eval.server.url=http://{odd_server.address}/v1", "eval.server.model=policy"]
    found = {}
    for name, words in (("here", []), ("there", behind)):
        common = [f"eval.model={odd_policy}", f"eval.data={data}", f"eval.out={tmp_path / name}"]
        common += [TEMPLATE, "eval.metrics=[ifeval]", "run.device=cpu", "run.threads=1"]
        common += ["eval.draws.greedy.sampling.max_new_tokens=48"]
        evaluate(load_config(None, [*common, *words]))
        rows = read_rows(tmp_path / name / RESPONSES)
        found[name] = [(row.values["response"], row.values["finish_reason"]) for row in rows]
    assert found["there"] == found["here"]
    assert "stop" in {reason for _, reason in found["here"]}
