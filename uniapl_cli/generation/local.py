"""Generation by a transformers model in this process.

Each unique prompt is prefilled once and its cache rows are shared out to its samples; rows that
have finished leave the batch. The model is the policy itself, so there are no weights to copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation.generator import Request, generators
from uniapl_cli.generation.sampling import draw, uniforms
from uniapl_cli.precision import Precision, arithmetic
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Completion, FinishReason, Sampling

if TYPE_CHECKING:
    from transformers import DynamicCache

# Copying the cache to drop rows costs as much as a few decoding steps of those rows.
COMPACT_SHARE = 0.125


@dataclass(frozen=True, slots=True)
class _Unit:
    """Samples of one request that are decoded together."""

    index: int
    request: Request
    first: int
    seeds: tuple[int, ...]


BatchTokens = Annotated[
    PositiveInt,
    Field(
        description="tokens (prompt + new) that one decoding batch may hold",
        json_schema_extra={"may_change": True},
    ),
]


@generators.register("local")
class LocalGenerator:
    """A transformers causal language model in this process, on the model's device."""

    def __init__(
        self,
        model: Any,
        chat: Chat,
        *,
        precision: Precision = "auto",
        batch_tokens: BatchTokens = 65536,
    ) -> None:
        self.model = model
        self.chat = chat
        self.precision = precision
        self.batch_tokens = batch_tokens
        configured = model.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        self.stop_ids = {chat.stop_id, *(token for token in listed if token is not None)}

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index, completions) of each request as its batch gets done.

        Raises ModelError for a prompt that leaves no room in the model's context.
        """
        for request in requests:
            self._check_room(request, sampling)
        incomplete: dict[int, dict[int, Completion]] = {}
        for batch in self._batches(requests, sampling):
            with arithmetic(self.precision, self.model.device):
                answers = deque(self._decode(batch, sampling))
            for unit in batch:
                done = incomplete.setdefault(unit.index, {})
                for offset in range(len(unit.seeds)):
                    done[unit.first + offset] = answers.popleft()
                if len(done) == len(unit.request.seeds):
                    del incomplete[unit.index]
                    yield unit.index, [done[sample] for sample in sorted(done)]

    def _check_room(self, request: Request, sampling: Sampling) -> None:
        context = getattr(self.model.config, "max_position_embeddings", None)
        needed = len(request.prompt_ids) + sampling.max_new_tokens
        if context is not None and needed > context:
            raise ModelError(
                f"{len(request.prompt_ids)} prompt tokens + {sampling.max_new_tokens} new ones "
                f"exceed the model's context of {context}",
                "Shorten the prompt or lower max_new_tokens",
                where=request.name or "a prompt",
                got=needed,
            )

    def _batches(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[_Unit]]:
        """Group requests of similar length into batches of at most `batch_tokens` tokens."""
        order = sorted(range(len(requests)), key=lambda i: -len(requests[i].prompt_ids))
        batch: list[_Unit] = []
        room = 0
        for index in order:
            request, first = requests[index], 0
            while first < len(request.seeds):
                if room == 0:
                    if batch:
                        yield batch
                    # The first of a batch is its longest, so its length prices every row.
                    price = len(request.prompt_ids) + sampling.max_new_tokens
                    batch, room = [], max(1, self.batch_tokens // price)
                seeds = request.seeds[first : first + room]
                batch.append(_Unit(index, request, first, seeds))
                first, room = first + len(seeds), room - len(seeds)
        if batch:
            yield batch

    @torch.inference_mode()
    def _decode(self, batch: Sequence[_Unit], sampling: Sampling) -> list[Completion]:
        device = self.model.device
        state = self._prefill(batch)
        seeds = [seed for unit in batch for seed in unit.seeds]
        noise = uniforms(seeds, sampling.max_new_tokens).to(device)
        tokens = torch.zeros(noise.shape, dtype=torch.long, device=device)
        logps = torch.zeros(noise.shape, dtype=torch.float32, device=device)
        stops = torch.tensor(sorted(self.stop_ids), device=device)
        done = torch.zeros(len(seeds), dtype=torch.bool, device=device)
        for step in range(sampling.max_new_tokens):
            rows = state.rows
            ids, chosen = draw(state.logits, noise[rows, step], sampling)
            tokens[rows, step], logps[rows, step] = ids, chosen
            done[rows] |= torch.isin(ids, stops)
            alive = ~done[rows]
            left = int(alive.sum())
            if left == 0 or step + 1 == sampling.max_new_tokens:
                break
            if left <= (1 - COMPACT_SHARE) * len(rows):
                ids = ids[alive]
                state.keep(alive)
            state.advance(self.model, ids)
        return self._completions(tokens.cpu(), logps.cpu(), stops.cpu())

    def _prefill(self, batch: Sequence[_Unit]) -> _State:
        """Run each unit's prompt once and repeat its cache rows for its samples."""
        from transformers import DynamicCache  # importing it takes most of a second

        prompts = [unit.request.prompt_ids for unit in batch]
        ids, attention = pad_ids(prompts, self.chat.tokenizer.pad_token_id or 0, left=True)
        ids, attention = ids.to(self.model.device), attention.to(self.model.device)
        cache = DynamicCache(config=self.model.config)
        output = self.model(
            input_ids=ids,
            attention_mask=attention,
            position_ids=(attention.cumsum(1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        counts = torch.tensor([len(unit.seeds) for unit in batch], device=ids.device)
        owner = torch.arange(len(batch), device=ids.device).repeat_interleave(counts)
        # Of the two methods that take rows out, layers of linear attention have this one alone.
        cache.reorder_cache(owner)
        rows = torch.arange(len(owner), device=ids.device)
        return _State(rows, output.logits[owner, -1], attention[owner], cache)

    def _completions(self, tokens: Tensor, logps: Tensor, stops: Tensor) -> list[Completion]:
        width = tokens.shape[1]
        stopped = torch.isin(tokens, stops)
        # The tokens behind a row's first stop token were never sampled.
        ends = torch.where(stopped.any(1), stopped.int().argmax(1) + 1, width).tolist()
        answers = []
        for row, end in enumerate(ends):
            ids = tokens[row, :end].tolist()
            finished = bool(stopped[row, end - 1])
            text = self.chat.text(ids[:-1] if finished else ids)
            reason: FinishReason = "stop" if finished else "length"
            answers.append(Completion(text, tuple(ids), tuple(logps[row, :end].tolist()), reason))
        return answers


@dataclass(slots=True)
class _State:
    """The rows still being decoded: their indices, next-token logits, attention mask and cache."""

    rows: Tensor
    logits: Tensor
    attention: Tensor
    cache: DynamicCache

    def keep(self, alive: Tensor) -> None:
        """Drop the rows that are not alive."""
        self.rows, self.attention = self.rows[alive], self.attention[alive]
        self.cache.reorder_cache(alive.nonzero().squeeze(1))

    def advance(self, model: Any, ids: Tensor) -> None:
        """Feed each row its new token."""
        self.attention = torch.cat([self.attention, self.attention.new_ones(len(ids), 1)], 1)
        output = model(
            input_ids=ids.unsqueeze(1),
            attention_mask=self.attention,
            position_ids=self.attention.sum(1, keepdim=True) - 1,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = output.logits[:, -1]
