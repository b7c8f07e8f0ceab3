"""Whether a generator samples from its model: asked once, before anything is computed with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.generator import Generator, Request, in_order
from uniapl_cli.precision import Precision, arithmetic, resolve
from uniapl_cli.reasons import brief
from uniapl_cli.types import Sampling

# Of different lengths, each answered several times: rows are padded, shared out and dropped.
REQUESTS = tuple(Request(tuple(range(1, length)), tuple(range(4))) for length in (4, 10))
SAMPLING = Sampling(temperature=1.0, max_new_tokens=4)
# Mean differences a token that rounding explains.
ROUNDING = {torch.float32: 5e-3, torch.bfloat16: 0.3}


def check_agreement(
    make: Callable[[Precision], Generator], model: Any, precision: Precision
) -> None:
    """Refuse a model for which sampled log-probabilities are not those of its forward pass.

    Such is one that keeps what it has read elsewhere than in the cache it is given. Raises
    ModelError.
    """
    precision = tried_in(model, precision)
    try:
        answers = in_order(make(precision).generate(REQUESTS, SAMPLING), len(REQUESTS))
    except (AttributeError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise _refused(model, f"its cache is not one that is known here: {brief(error)}") from error
    gaps = []
    for request, completions in zip(REQUESTS, answers, strict=True):
        for answer in completions:
            own = forward_logps(model, [*request.prompt_ids, *answer.token_ids], precision)
            sampled = torch.tensor(answer.logps)
            gaps.append((own[len(request.prompt_ids) - 1 :].cpu() - sampled).abs())
    gap = float(torch.cat(gaps).mean())
    if not gap <= ROUNDING[resolve(precision, model.device)]:
        of = "as of a model that keeps what it has read outside its cache"
        off = f"the log-probabilities are {gap:.1g} a token off those of a plain forward pass"
        raise _refused(model, f"{off}, {of}")


def tried_in(model: Any, precision: Precision) -> Precision:
    """Return float32 where the weights are, in which no rounding hides a difference."""
    flash = "flash" in str(model.config._attn_implementation)  # of 16 bits alone
    if flash or any(weight.dtype is not torch.float32 for weight in model.parameters()):
        return precision
    return "float32"


def _refused(model: Any, why: str) -> ModelError:
    kind = type(model).__name__
    advice = "Without sampling, as in train sft, it can be trained"
    return ModelError(f"{kind} cannot be sampled from here: {why}", advice, got=kind)


@torch.inference_mode()
def forward_logps(model: Any, ids: list[int], precision: Precision) -> Tensor:
    """Return (T-1,) log-probabilities of the tokens behind the first, without a cache."""
    tokens = torch.tensor([ids], device=model.device)
    with arithmetic(precision, model.device):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits[0]
    return logits.float().log_softmax(-1).gather(1, tokens[0, 1:, None]).squeeze(1)
