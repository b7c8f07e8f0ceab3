"""What is measured of a family of models: by the tests, and by benchmarks/architectures.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from architectures import new_model
from torch import Tensor

from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy, load_policy, save_folder
from uniapl_cli.types import Completion, Sampling

SAMPLING = Sampling(temperature=0.8, max_new_tokens=20)
# Of different lengths, the longest beyond the sliding windows; three samples each.
REQUESTS = [
    Request(tuple(range(first, first + length)), tuple(range(first, first + 3)))
    for first, length in ((40, 3), (60, 23), (90, 10))
]
PADDING = 24  # rows of the head that stand for no token


def new_policy(family: str, tokenizer: Any, precision: Any = "float32") -> Policy:
    """Return a policy of a family whose vocabulary is padded and that has several stop ids."""
    model = new_model(family, len(tokenizer) + PADDING)
    stops = range(0, len(tokenizer), 50)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, *stops]
    return Policy(model, tokenizer, precision)


def new_generator(policy: Policy, precision: Any = None) -> LocalGenerator:
    """Return a generator over a policy, of its precision or another."""
    precision = precision or policy.precision
    return LocalGenerator(policy.model, Chat(policy.tokenizer), precision=precision)


def new_batch(tokenizer: Any) -> TokenBatch:
    """Return rows of three lengths."""
    tokens = torch.randint(len(tokenizer), (3, 25), generator=torch.Generator().manual_seed(0))
    places = torch.arange(24).expand(3, 24)
    return TokenBatch(tokens, (places > 1) & (places < torch.tensor([[24], [11], [3]])))


def sampled(policy: Policy) -> tuple[list[Completion], Tensor]:
    """Return answers, and of each token how far its log-probability is off a forward pass's."""
    answers = in_order(new_generator(policy).generate(REQUESTS, SAMPLING), len(REQUESTS))
    gaps = []
    for request, completions in zip(REQUESTS, answers, strict=True):
        for answer in completions:
            tokens = torch.tensor([[*request.prompt_ids, *answer.token_ids]])
            mask = torch.arange(1, tokens.shape[1])[None] >= len(request.prompt_ids)
            with torch.no_grad():
                batch = TokenBatch(tokens, mask, temperature=SAMPLING.temperature)
                own = policy.forward(batch)[mask]
            gaps.append((own - torch.tensor(answer.logps)).abs())
    return [answer for row in answers for answer in row], torch.cat(gaps)


def trained(policy: Policy, batch: TokenBatch) -> list[float]:
    """Make two steps towards a batch; return the loss before each, and after them."""
    optimizer = torch.optim.SGD(policy.model.parameters(), 1e-2)
    losses = []
    for _ in range(2):
        loss = -policy.forward(batch).sum() / batch.loss_mask.sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return [*losses, (-policy.forward(batch).sum() / batch.loss_mask.sum()).item()]


def saved_again(policy: Policy, folder: Path) -> Policy:
    """Save a policy and load it."""
    save_folder(folder, policy.model, policy.tokenizer)
    return load_policy(folder, "cpu", policy.precision)
