"""The server that `uniapl serve policy` starts is of the model that was named, and ends whole."""

import json
import urllib.request

import torch

from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model


def post(server, route, body):
    request = urllib.request.Request(
        f"http://{server.address}/{route}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def test_it_is_the_model_that_was_named(tied_server):
    """Its log-probabilities of its own draws are the model's, though its head is apart."""
    prompt = list(range(5, 25))
    body = {"model": "policy", "prompt": prompt, "max_tokens": 16, "temperature": 1.0}
    body |= {"logprobs": 0, "return_token_ids": True}
    (choice,) = post(tied_server, "v1/completions", body)["choices"]
    ids = choice["token_ids"]
    model = load_model(resolve("tiny:teacher"), "cpu")
    with torch.inference_mode():
        logps = model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
    ours = logps[len(prompt) - 1 : -1].gather(1, torch.tensor(ids).unsqueeze(1)).squeeze(1)
    theirs = torch.tensor(choice["logprobs"]["token_logprobs"])
    assert (ours - theirs).abs().max() < 1e-4


def test_a_server_that_was_killed_comes_back_at_its_address(served, tied_server):
    address = tied_server.address
    tied_server.crash()
    assert not tied_server.answers()
    again = served(*tied_server.words)
    assert again.address == address and again.answers()
