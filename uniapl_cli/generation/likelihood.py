"""How likely a model holds each of some continuations of a text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.agreement import tried_in
from uniapl_cli.generation.branching import branches
from uniapl_cli.generation.cache import new_cache
from uniapl_cli.generation.context import context_of
from uniapl_cli.generation.continuations import encode
from uniapl_cli.generation.local import MEMORY_SHARE
from uniapl_cli.generation.packing import PackedWeights
from uniapl_cli.generation.passes import PASS_COST, Group, Row, batches, groups, rows_of
from uniapl_cli.generation.prefixes import can_branch, can_share, repeated, size_of
from uniapl_cli.generation.rows import PREFILL_TOKENS
from uniapl_cli.generation.sampling import not_numbers
from uniapl_cli.head import Head, backbone
from uniapl_cli.memory import free_bytes
from uniapl_cli.precision import Precision, arithmetic, resolve
from uniapl_cli.products import product
from uniapl_cli.reasons import within_memory
from uniapl_cli.types import Likelihood, Progress

if TYPE_CHECKING:
    from transformers import DynamicCache

# Elements of logits that exist at a time: 64 MiB in float32.
LOGIT_BUDGET = 2**24
# Longest row whose options stand behind one another: a mask grows with its square.
LONGEST_FORKED = 4096


@dataclass(frozen=True, slots=True)
class ChoiceRequest:
    """A plain text, and the options that are scored behind it. `name` is for messages."""

    context: str
    options: tuple[str, ...]
    name: str = ""


class LikelihoodScorer:
    """Scores continuations with a causal language model, on the model's device.

    Contexts that begin alike are read once up to where they part, and a context once for all of its
    options. Where a model's attention cannot be masked, options are rows of their own; where its
    cache cannot be handed on, all rows are read whole. batch_tokens: tokens whose keys and values
    are held at a time; None takes what memory is free.
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
        self.device: torch.device = model.device
        self.precision, self.dtype = precision, resolve(precision, model.device)
        self.batch_tokens = batch_tokens
        self.cost = PASS_COST.get(self.device.type, 32)
        self.backbone = backbone(model)
        with arithmetic(precision, self.device):
            self.head = Head(model)
        with arithmetic(tried_in(model, precision), self.device):
            self.shares = can_share(model, self.backbone)
            self.forks = can_branch(model, self.backbone)

    def score(
        self, requests: Sequence[ChoiceRequest], progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Likelihood]]]:
        """Yield (index of the request, a Likelihood an option), in the order they get done.

        `progress` is told the tokens that have been read, and those left. Raises ModelError for a
        context and an option that are longer than the model's context, before any is scored.
        """
        yield from ((index, []) for index, request in enumerate(requests) if not request.options)
        rows = [row for index, one in enumerate(requests) for row in self._rows(index, one)]
        planned = groups(rows, self.cost) if self.shares else [Group(0, rows)]
        read, left = 0, sum(group.length for group in planned)
        weights = PackedWeights(self.backbone, self.dtype)
        parts: dict[int, dict[int, Likelihood]] = {}
        for group in planned:
            read += group.shared
            for batch, scored in self._scored(group, weights):
                read += sum(row.length - group.shared for row in batch)
                if progress is not None:
                    progress(read, left - read)
                for row, likelihoods in zip(batch, scored, strict=True):
                    options = parts.setdefault(row.request, {})
                    options |= likelihoods
                    if len(options) == len(requests[row.request].options):
                        del parts[row.request]
                        yield row.request, [options[number] for number in sorted(options)]

    def fits(self, request: ChoiceRequest) -> bool:
        """Whether the model's context holds the context of a request with each of its options."""
        context, options = encode(self.tokenizer, request.context, request.options)
        longest = max((len(ids) for ids in options), default=0)
        return len(context) + longest - 1 <= context_of(self.model)

    def _rows(self, index: int, request: ChoiceRequest) -> list[Row]:
        """Return the rows in which the options of a request are read. Raises ModelError."""
        if not request.options:
            return []
        context, options = encode(self.tokenizer, request.context, request.options)
        most, where = context_of(self.model), request.name or "a context"
        for option, ids in zip(request.options, options, strict=True):
            if not ids:
                problem = f"the option {option!r:.60} adds no token to its context"
                raise ModelError(problem, where=where, got=option)
            if (needed := len(context) + len(ids) - 1) > most:
                raise ModelError(
                    f"{len(context)} tokens of context + {len(ids)} of an option exceed the "
                    f"model's context of {most}",
                    "Take fewer shots, or a model with a longer context",
                    where=where,
                    got=needed,
                )
        return rows_of(index, context, options, longest=LONGEST_FORKED if self.forks else 0)

    def _scored(
        self, group: Group, weights: PackedWeights
    ) -> Iterator[tuple[list[Row], list[dict[int, Likelihood]]]]:
        """Yield batches of rows with the likelihoods of their options, by number."""
        with self._computing(weights):
            prefix = self._prefix(group)
        tokens = PREFILL_TOKENS.get(self.device.type, 2048)
        held = self.batch_tokens or tokens
        if self.batch_tokens is None and prefix is not None:
            free = MEMORY_SHARE.get(self.device.type, 0.25) * free_bytes(self.device)
            held = int(free) * group.shared // size_of(prefix)
        for batch in batches(group, tokens=tokens, held=held, cost=self.cost):
            with self._computing(weights):  # not while the caller has the answers
                scored = self._read(batch, group.shared, prefix)
            yield batch, scored

    def _prefix(self, group: Group) -> DynamicCache | None:
        """Return the keys and values of what the group's rows share."""
        if not group.shared:
            return None
        cache = new_cache(self.model)
        ids = torch.tensor(group.rows[0].context[None, : group.shared], device=self.device)
        self.backbone(input_ids=ids.long(), past_key_values=cache, use_cache=True)
        return cache

    def _read(
        self, rows: Sequence[Row], shared: int, prefix: DynamicCache | None
    ) -> list[dict[int, Likelihood]]:
        read = branches(rows, shared, self.device)
        behind: dict[str, Any] = {"use_cache": prefix is not None}
        if prefix is not None:
            behind["past_key_values"] = repeated(prefix, len(rows))
        if read.mask is not None:
            behind |= {"attention_mask": read.mask, "position_ids": read.positions}
        hidden = self.backbone(input_ids=read.ids, **behind).last_hidden_state
        found = zip(*self._told(hidden[read.rows, read.columns], read.targets), strict=True)
        likelihoods = []
        for row in rows:
            of = {}
            for number, ids in row.options:
                logps, greedy = zip(*(next(found) for _ in ids), strict=True)
                of[number] = Likelihood(sum(logps), len(ids), all(greedy))
            likelihoods.append(of)
        return likelihoods

    def _told(self, hidden: Tensor, targets: Tensor) -> tuple[list[float], list[bool]]:
        """Return the logps of targets (N,) behind hidden states (N, H), and which are likeliest."""
        most = max(1, LOGIT_BUDGET // len(self.head.weight))
        logps, greedy = [], []
        for states, ids in zip(hidden.split(most), targets.split(most), strict=True):
            logits = product(states, self.head.weight, self.head.bias).float()
            logits = self.head.finish(logits)
            chosen = logits.gather(1, ids.unsqueeze(1)).squeeze(1)
            logps += (chosen - logits.logsumexp(1)).tolist()
            greedy += (logits.argmax(1) == ids).tolist()
        if any(map(math.isnan, logps)):
            raise not_numbers("no option is likelier than another")
        return logps, greedy

    @contextmanager
    def _computing(self, weights: PackedWeights) -> Iterator[None]:
        context = arithmetic(self.precision, self.device)
        told = within_memory(lambda: "in reading likelihoods", "generation.batch_tokens")
        with told, torch.inference_mode(), context, weights.used():
            yield
