"""Generation by a transformers model in this process: the policy itself, so nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt

from uniapl_cli.chat import Chat
from uniapl_cli.generation.context import context_of, limit_of, stop_ids_of
from uniapl_cli.generation.decoder import Decoder
from uniapl_cli.generation.generator import Request, generators
from uniapl_cli.generation.packing import PackedWeights
from uniapl_cli.generation.rows import Rows
from uniapl_cli.generation.samples import Sample
from uniapl_cli.memory import free_bytes
from uniapl_cli.precision import Precision, arithmetic, resolve
from uniapl_cli.reasons import within_memory
from uniapl_cli.types import Completion, FinishReason, Progress, Sampling

# Tokens between two looks at who has finished, each of which waits for a GPU.
LOOK = {"cpu": 1, "cuda": 8}
# Columns beyond those needed. When they are full slabs are copied, and on CUDA a graph is recorded.
ROOM = {"cpu": 32, "cuda": 128}
# More rows at a time no longer make the products faster.
MOST_ROWS = {"cpu": 128, "cuda": 1024}
# Share of the free memory that the logits of all rows may take; top-p needs ten times as much.
LOGITS_SHARE = 0.02
# Share of the free memory that keys and values may take; what is computed with them needs some too.
MEMORY_SHARE = {"cpu": 0.25, "cuda": 0.6}
# Share of the keys and values that those of a pass over prompts may take beside them.
PREFILL_SHARE = 0.25
# Seconds between two estimates of what is left.
PROGRESS_SECONDS = 1.0

BatchTokens = Annotated[
    PositiveInt | None,
    Field(
        description="tokens whose keys and values are held at a time; null takes what memory "
        "is free",
        json_schema_extra={"may_change": True},
    ),
]


@generators.register("local")
class LocalGenerator:
    """A transformers causal language model in this process, on the model's device."""

    metrics: Mapping[str, float] = MappingProxyType({})

    def __init__(
        self,
        model: Any,
        chat: Chat,
        *,
        precision: Precision = "auto",
        batch_tokens: BatchTokens = None,
    ) -> None:
        self.model = model
        self.chat = chat
        self.precision = precision
        self.batch_tokens = batch_tokens
        self.held = batch_tokens or 0
        self.dtype = resolve(precision, model.device)
        self.stop_ids = stop_ids_of(model, chat.stop_id)

    def follow(self, policy: Any) -> None:
        """Do nothing: the model that is generated with is the policy's own."""

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index, completions) of each request as the last of them gets done.

        Raises ModelError for a prompt that leaves no room in the model's context.
        """
        samples = [s for i, r in enumerate(requests) for s in self._samples(i, r, sampling)]
        yield from ((index, []) for index, request in enumerate(requests) if not request.seeds)
        if not samples:
            return
        weights = PackedWeights(self.model, self.dtype)
        with self._computing(weights):
            decoder = self._decoder(samples, sampling)
        incomplete: dict[int, dict[int, Completion]] = {}
        due = time.monotonic()
        while not decoder.ended:
            with self._computing(weights):  # not while the caller has the answers
                finished = decoder.advance(PROGRESS_SECONDS)
            # Not at every answer: an estimate looks at all that wait.
            if progress is not None and (decoder.ended or time.monotonic() >= due):
                progress(decoder.drawn, decoder.left())
                due = time.monotonic() + PROGRESS_SECONDS
            for sample in finished:
                done = incomplete.setdefault(sample.index, {})
                done[sample.number] = self._completion(sample)
                if len(done) == len(requests[sample.index].seeds):
                    del incomplete[sample.index]
                    yield sample.index, [done[number] for number in sorted(done)]

    def _samples(self, index: int, request: Request, sampling: Sampling) -> list[Sample]:
        limit = limit_of(request, sampling, context_of(self.model))
        return [
            Sample(index, number, request.prompt_ids, seed, limit)
            for number, seed in enumerate(request.seeds)
        ]

    def _decoder(self, samples: Sequence[Sample], sampling: Sampling) -> Decoder:
        device = self.model.device
        look, most = LOOK.get(device.type, 1), MOST_ROWS.get(device.type, 128)
        rows = Rows(
            self.model,
            sampling,
            sorted(self.stop_ids),
            width=max(sample.limit for sample in samples) + look,
            dtype=self.dtype,
        )
        free, budget = free_bytes(device), self.batch_tokens
        if budget is None:
            share = MEMORY_SHARE.get(device.type, 0.25)
            budget = int(share * free) // max(1, rows.cache.bytes_a_token)
        self.held = budget
        rows.prefill_held = max(1, int(PREFILL_SHARE * budget))
        rows.prefill_tokens = min(rows.prefill_tokens, rows.prefill_held)
        most = max(1, min(most, int(LOGITS_SHARE * free) // (4 * rows.logits.shape[1])))
        room = ROOM.get(device.type, 32)
        return Decoder(rows, samples, budget=budget, most_rows=most, look=look, room=room)

    @contextmanager
    def _computing(self, weights: PackedWeights) -> Iterator[None]:
        context = arithmetic(self.precision, self.model.device)
        told = within_memory(self._sampling, "generation.batch_tokens")
        with told, torch.inference_mode(), context, weights.used():
            yield

    def _sampling(self) -> str:
        held = f", with keys and values of {self.held:,} tokens at most" if self.held else ""
        return f"in sampling{held}"

    def _completion(self, sample: Sample) -> Completion:
        ids = sample.tokens[:-1] if sample.stopped else sample.tokens
        reason: FinishReason = "stop" if sample.stopped else "length"
        text = self.chat.text(ids)
        return Completion(text, tuple(sample.tokens), tuple(sample.logps), reason)
