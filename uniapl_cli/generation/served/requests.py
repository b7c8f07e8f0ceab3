"""Requests of /v1/completions, in token ids alone, and what their answers must be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uniapl_cli.generation.generator import Request
from uniapl_cli.types import FinishReason, Sampling

# What vLLM writes for a log-probability of minus infinity.
IMPOSSIBLE = -9999.0
# What a log-probability may be above 0 by rounding.
ROUNDING = 1e-3
# vLLM draws with this temperature where it is asked for a lower one that is not 0.
LOWEST_TEMPERATURE = 0.01


@dataclass(slots=True, eq=False)
class Job:
    """A request to be sent: `count` responses of at most `limit` tokens. tries: that failed."""

    index: int
    request: Request
    limit: int
    count: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """One response: its tokens, with the stop token where it ended itself, and their logps."""

    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    finish_reason: FinishReason


def body_of(job: Job, sampling: Sampling, model: str, stop_ids: Collection[int]) -> dict[str, Any]:
    """Return the body of a request.

    Each field that decides a draw is named: the server's generation_config.json would fill in those
    that are not. `seed` is left out: on a CPU it can end vLLM's engine.
    """
    greedy = sampling.temperature == 0
    return {
        "model": model,
        "prompt": list(job.request.prompt_ids),
        "n": job.count,
        "max_tokens": job.limit,
        "min_tokens": 0,
        "temperature": sampling.temperature,
        "top_p": 1.0 if greedy else sampling.top_p,
        "top_k": 0 if greedy else sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": [],
        "stop_token_ids": sorted(stop_ids),
        "ignore_eos": True,  # the server's own: ours are all in stop_token_ids
        "logprobs": 0,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "stream": False,
    }


def read_answer(answer: Any, job: Job, stop_ids: Collection[int], vocabulary: int) -> list[Drawn]:
    """Return the responses in an answer. Raises ValueError for whatever they should not be."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    if not isinstance(choices, list) or not all(isinstance(c, Mapping) for c in choices):
        raise ValueError("no choices")
    if len(choices) != job.count:
        raise ValueError(f"{len(choices)} choices, where {job.count} were asked for")
    if sorted(str(choice.get("index")) for choice in choices) != sorted(map(str, range(job.count))):
        raise ValueError("choices that are not numbered from 0")
    ordered = sorted(choices, key=lambda choice: int(choice["index"]))
    return [_drawn(choice, job, stop_ids, vocabulary) for choice in ordered]


def _drawn(
    choice: Mapping[str, Any], job: Job, stop_ids: Collection[int], vocabulary: int
) -> Drawn:
    if choice.get("prompt_token_ids") != list(job.request.prompt_ids):
        raise ValueError("prompt_token_ids are not those of the request")
    ids, logps = choice.get("token_ids"), _logps(choice)
    if not isinstance(ids, list) or not ids or not all(is_id(id, vocabulary) for id in ids):
        raise ValueError(f"token_ids are not ids below {vocabulary}")
    if len(logps) != len(ids):
        raise ValueError(f"{len(logps)} log-probabilities for {len(ids)} tokens")
    reason = choice.get("finish_reason")
    if reason not in ("stop", "length"):
        raise ValueError(f"finish_reason is {reason!r}")
    _check_end(ids, reason, job.limit, stop_ids)
    return Drawn(tuple(ids), tuple(logps), reason)


def _check_end(ids: Sequence[int], reason: str, limit: int, stop_ids: Collection[int]) -> None:
    ends = [place for place, id in enumerate(ids, 1) if id in stop_ids]
    if ends != ([len(ids)] if reason == "stop" else []):
        raise ValueError(f"finish_reason is {reason!r}, which its tokens are not: {ids[-3:]} last")
    if len(ids) > limit or (reason == "length" and len(ids) < limit):
        raise ValueError(
            f"{len(ids)} tokens, where {limit} were the limit (is the server's --max-model-len "
            "long enough?)"
        )


def _logps(choice: Mapping[str, Any]) -> list[float]:
    told = choice.get("logprobs")
    logps = told.get("token_logprobs") if isinstance(told, Mapping) else None
    if not isinstance(logps, list) or not all(map(is_logp, logps)):
        raise ValueError("token_logprobs are not log-probabilities")
    return list(map(float, logps))


def is_id(value: Any, vocabulary: int) -> bool:
    """Whether a value is the id of a token."""
    return type(value) is int and 0 <= value < vocabulary


def is_logp(value: Any) -> bool:
    """Whether a value is a log-probability of a token that can be drawn."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and IMPOSSIBLE < value <= ROUNDING  # NaN is neither
