"""What a server and a policy say of the same tokens: the only proof that their weights are equal.

A reload can do nothing and answer 200 all the same, such as that of a tied head on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.requests import is_id
from uniapl_cli.generation.served.transports import Served
from uniapl_cli.tensors import TokenBatch, pad_ids
from uniapl_cli.types import Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient

# What the rows of the probe begin with. Rounding tells more of tokens that no model expects: over
# random ones, bfloat16 is off by twice as much.
TEXTS = (
    "The bridge was closed for most of the winter, so people who worked across the river had to "
    "take the ferry. It left every half hour from the old harbour, and it was often late.",
    "A good recipe says how much of everything is needed, in which order it goes into the pot, and "
    "how long each step takes. Write down three of your favourite dishes, then explain why.",
    "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    "
    "return total / len(values)\n\nprint(mean([1, 2, 3]), mean([0.5, 0.25]))\n",
    "In 1969 two people walked on the moon while a third waited in orbit. How far is it? About "
    "384,400 kilometres, which light takes 1.3 seconds to cross. A car would need half a year.",
)
# Tokens of a row: all but its first are compared.
LENGTH = 33
# Fewer that are compared prove little.
FEWEST = 64
# Of the responses that a server is to draw: the tokens of their prompts, which begin these rows,
# their number a prompt, and their tokens at most.
PROMPT, DRAWS, NEW = 8, 4, 8
# Up to this gap in float32, a server's arithmetic is likely to be bfloat16.
OF_BFLOAT16 = 0.15
# Up to this gap a server with the right weights may well be off.
ROUNDED = {torch.float32: 1e-4, torch.bfloat16: 0.2}
# How a request says that nothing is to be done to the logits: a server's own defaults may differ.
PLAIN = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


def probe_rows(tokenizer: Any) -> list[list[int]]:
    """Return rows of at most LENGTH token ids, always the same for a tokenizer; none is special.

    They are of a text, or where the tokenizer cannot read it, random.
    """
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    read = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    rows = [[token for token in ids if token not in special][:LENGTH] for ids in read]
    if sum(len(row) - 1 for row in rows) >= FEWEST and min(map(len, rows)) > PROMPT:
        return rows
    plain = torch.tensor([i for i in range(len(tokenizer)) if i not in special])
    shape, rng = (len(TEXTS), LENGTH), torch.Generator().manual_seed(0)
    chosen: list[list[int]] = plain[torch.randint(len(plain), shape, generator=rng)].tolist()
    return chosen


@torch.no_grad()
def own_logps(
    policy: Served, rows: Sequence[Sequence[int]], prompts: int = 1, temperature: float = 1.0
) -> Tensor:
    """Return (N,) log-probabilities of the tokens behind the first `prompts` of each row."""
    tokens, real = pad_ids(rows)
    mask = real[:, 1:].bool()
    mask[:, : prompts - 1] = False
    batch = TokenBatch(tokens, mask, temperature=temperature).to(policy.device)
    return policy.forward(batch)[batch.loss_mask].float().cpu()


async def prompt_logps(
    client: AsyncClient, server: VllmServer, model: str, rows: Sequence[Sequence[int]]
) -> Tensor:
    """Return (N,) a server's log-probabilities of the tokens behind the first of each row.

    Raises RequestFailed.
    """
    body = {"model": model, "prompt": rows, "max_tokens": 1, "prompt_logprobs": 0, **PLAIN}
    answer = await server.complete(client, body)
    logps: list[float] = []
    for row, choice in zip(rows, _choices(server, answer, len(rows)), strict=True):
        told = choice.get("prompt_logprobs")
        if not isinstance(told, Sequence) or len(told) != len(row):
            raise server.unusable("no prompt_logprobs for each token of a prompt")
        for token, one in zip(row[1:], told[1:], strict=True):
            entry = one.get(str(token)) if isinstance(one, Mapping) else None
            logps.append(_number(server, entry and entry.get("logprob")))
    return torch.tensor(logps)


async def drawn(
    client: AsyncClient,
    server: VllmServer,
    model: str,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    vocabulary: int,
) -> tuple[list[list[int]], Tensor]:
    """Return responses of a server to prompts, behind these, and the logps (N,) that it tells.

    Raises RequestFailed.
    """
    own = {name: getattr(sampling, name) for name in ("temperature", "top_p", "top_k")}
    draws = DRAWS if sampling.temperature else 1
    body = {"model": model, "prompt": prompts, "n": draws, "max_tokens": NEW, **PLAIN, **own}
    body |= {"logprobs": 0, "return_token_ids": True}
    answer = await server.complete(client, body)
    rows: list[list[int]] = []
    logps: list[float] = []
    for index, choice in enumerate(_choices(server, answer, draws * len(prompts))):
        ids, told = choice.get("token_ids"), choice.get("logprobs")
        numbers = told.get("token_logprobs") if isinstance(told, Mapping) else None
        if not isinstance(ids, list) or not isinstance(numbers, list) or len(ids) != len(numbers):
            raise server.unusable("no log-probability for each token that it drew")
        if not all(is_id(token, vocabulary) for token in ids):
            raise server.unusable(f"token_ids are not ids below {vocabulary}")
        rows.append([*prompts[index // draws], *ids])
        logps += [_number(server, number) for number in numbers]
    return rows, torch.tensor(logps)


def gap_of(theirs: Tensor, own: Tensor) -> float:
    """Return the mean absolute difference, infinite where something is no number."""
    gap = float((theirs - own).abs().mean())
    return gap if math.isfinite(gap) else math.inf


def _choices(server: VllmServer, answer: Any, count: int) -> Iterator[Mapping[str, Any]]:
    """Return the choices of an answer, in the order of what was asked. Raises RequestFailed."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    if not isinstance(choices, list) or not all(isinstance(c, Mapping) for c in choices):
        raise server.unusable("no choices")
    by_index = {str(choice.get("index")): choice for choice in choices}
    if len(choices) != count or by_index.keys() != set(map(str, range(count))):
        raise server.unusable(f"not {count} choices, numbered from 0")
    return (by_index[str(index)] for index in range(count))


def _number(server: VllmServer, value: Any) -> float:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise server.unusable("a log-probability that is no number")


def disagreement(server: VllmServer, gap: float, tolerance: float, cause: str) -> ServerError:
    """Return the error that a server's log-probabilities are not the policy's."""
    problem = (
        "the vLLM server does not have the policy's weights: its log-probabilities are "
        f"{gap:.3g} a token off the policy's own, and generation.probe_tolerance is {tolerance:.3g}"
    )
    key = "generation.probe_tolerance"
    return ServerError(problem, cause, where=server.address, key=key, got=gap)


def likely_cause(model: Any, dtype: torch.dtype, gap: float, kept: bool) -> str:
    """Return what is likely to be wrong.

    dtype: what the policy computes in. kept: whether a server has the weights of before.
    """
    if kept:
        return (
            "It has those of before the sync, which did nothing there: does it read the folder "
            "that is written here?"
        )
    if gap < ROUNDED[dtype]:
        rounds = f"Likely that is how {str(dtype).removeprefix('torch.')} rounds"
        return f"{rounds}: set generation.probe_tolerance={1.5 * gap:.2g}"
    other = "its --dtype is another one than the run's precision"
    if gap < OF_BFLOAT16:
        return f"Likely {other}: `uniapl serve` says how to start it"
    if model.get_output_embeddings().weight is model.get_input_embeddings().weight:
        return (
            "Likely its head is tied, which no reload changes on a CPU: start it as `uniapl serve` "
            f"says. Or {other}"
        )
    return f"Likely it serves another model, or {other}: `uniapl serve` says how to start it"


def wrong_mode(server: VllmServer, gap: float, tolerance: float, sampling: Sampling) -> ServerError:
    """Return the error that what a server says of its draws is not what the policy says."""
    mode = "raw" if sampling.temperature in (0, 1) else "processed"
    problem = (
        "the vLLM server has the policy's weights, but its log-probabilities of what it draws at "
        f"temperature {sampling.temperature:g} are {gap:.3g} a token off the policy's own, and "
        f"generation.probe_tolerance is {tolerance:.3g}"
    )
    advice, key = f"Start it with --logprobs-mode {mode}_logprobs", "generation.probe_tolerance"
    return ServerError(problem, advice, where=server.address, key=key, got=gap)
