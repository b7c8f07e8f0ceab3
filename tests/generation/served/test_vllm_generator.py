"""Responses of vLLM servers: the policy's own, in token ids; all else that comes is refused."""

import pytest
import torch

from uniapl_cli.chat import Chat
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.types import Message, Sampling

SAMPLING = Sampling(temperature=1.0, max_new_tokens=12)


@pytest.fixture
def requests(policy):
    chat = Chat(policy.tokenizer)
    prompts = [chat.prompt_ids([Message("user", text)]) for text in ("Hi", "Tell me.", "Why so?")]
    return [Request(tuple(p), tuple(range(n)), f"r:{n}") for n, p in enumerate(prompts, 1)]


def test_responses_are_the_policys(serve, generator, policy, requests):
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(1.03)
    server = serve()
    made = generator(server)
    made.follow(policy)
    answers = in_order(made.generate(requests, SAMPLING), len(requests))
    assert [len(own) for own in answers] == [1, 2, 3]
    for request, own in zip(requests, answers, strict=True):
        for answer in own:
            ids = [*request.prompt_ids, *answer.token_ids]
            logps = forward_logps(policy.model, ids, "float32")[len(request.prompt_ids) - 1 :]
            assert torch.tensor(answer.logps) == pytest.approx(logps, abs=1e-4)
            stopped = answer.token_ids[-1] in made.stop_ids
            assert (answer.finish_reason == "stop") == stopped
            kept = answer.token_ids[:-1] if stopped else answer.token_ids
            assert answer.text == made.chat.text(list(kept))
