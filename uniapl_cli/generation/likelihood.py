"""How likely a model holds each of some continuations of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.context import context_of
from uniapl_cli.generation.continuations import encode
from uniapl_cli.generation.packing import PackedWeights
from uniapl_cli.head import Head, backbone
from uniapl_cli.precision import Precision, arithmetic, resolve
from uniapl_cli.products import product
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Likelihood, Progress

# Elements of logits that exist at a time: 64 MiB in float32.
LOGIT_BUDGET = 2**24


@dataclass(frozen=True, slots=True)
class ChoiceRequest:
    """A plain text, and the options that are scored behind it. `name` is for messages."""

    context: str
    options: tuple[str, ...]
    name: str = ""


class LikelihoodScorer:
    """Scores continuations with a causal language model, on the model's device.

    batch_tokens: tokens whose keys and values are held at a time; None takes what memory is free.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        precision: Precision = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.precision = precision
        self.batch_tokens = batch_tokens
        self.backbone = backbone(model)
        with arithmetic(precision, model.device):
            self.head = Head(model)

    def score(
        self, requests: Sequence[ChoiceRequest], progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Likelihood]]]:
        """Yield (index of the request, a Likelihood an option), in the order they get done.

        Raises ModelError for a context and option that are longer than the model's context.
        """
        weights = PackedWeights(self.backbone, resolve(self.precision, self.model.device))
        for index, request in enumerate(requests):
            context, options = self._encoded(request)
            scored = []
            for ids in options:
                with self._computing(weights):
                    scored.append(self._row(context, ids))
            if progress is not None:
                progress(index + 1, len(requests) - index - 1)
            yield index, scored

    def _encoded(self, request: ChoiceRequest) -> tuple[list[int], list[list[int]]]:
        context, options = encode(self.tokenizer, request.context, request.options)
        most = context_of(self.model)
        for option, ids in zip(request.options, options, strict=True):
            if not ids:
                problem = f"the option {option!r:.60} adds no token to its context"
                raise ModelError(problem, where=request.name or None, got=option)
            if (needed := len(context) + len(ids) - 1) > most:
                raise ModelError(
                    f"{len(context)} tokens of context + {len(ids)} of an option exceed the "
                    f"model's context of {most}",
                    "Take fewer shots",
                    where=request.name or "a context",
                    got=needed,
                )
        return context, options

    def _row(self, context: list[int], option: list[int]) -> Likelihood:
        ids, _ = pad_ids([[*context, *option[:-1]]])
        hidden = self.backbone(input_ids=ids.to(self.model.device), use_cache=False)[0]
        targets = torch.tensor(option, device=hidden.device)
        logps, greedy = self._read(hidden[0, len(context) - 1 :], targets)
        return Likelihood(sum(logps.tolist()), len(option), bool(greedy.all()))

    def _read(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logps (N,) of targets behind hidden states (N, H), and which are likeliest."""
        rows = max(1, LOGIT_BUDGET // len(self.head.weight))
        logps, greedy = [], []
        for states, ids in zip(hidden.split(rows), targets.split(rows), strict=True):
            logits = product(states, self.head.weight, self.head.bias).float()
            logits = self.head.finish(logits)
            chosen = logits.gather(1, ids.unsqueeze(1)).squeeze(1)
            logps.append(chosen - logits.logsumexp(1))
            greedy.append(logits.argmax(1) == ids)
        return torch.cat(logps), torch.cat(greedy)

    @contextmanager
    def _computing(self, weights: PackedWeights) -> Iterator[None]:
        context = arithmetic(self.precision, self.model.device)
        with torch.inference_mode(), context, weights.used():
            yield
