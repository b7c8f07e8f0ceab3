"""Closeness in meaning: the cosine of two texts' embeddings by any encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from uniapl_cli.chat import load_tokenizer
from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.local import load_frozen, padded, refuse_overlong
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Comparison


@discriminators.register("embedding")
class EmbeddingDiscriminator:
    """scale * (cosine - 1) of candidate and reference, embedded by an encoder's mean hidden state.

    So 0 means the same direction, where the anchor's coefficient is greatest, and -2 * scale the
    opposite one. With `with_prompt`, each answer is embedded behind its prompt.
    """

    def __init__(
        self,
        path: str | Path,
        device: str,
        dtype: torch.dtype,
        *,
        scale: float = 4.0,
        with_prompt: bool = False,
        batch_tokens: int = 16384,
        attention: str = "sdpa",
        revision: str | None = None,
    ) -> None:
        from transformers import AutoModel

        if not (math.isfinite(scale) and scale > 0):
            raise ModelError(f"discriminator.params.scale = {scale}: it must be above 0")
        self.model = load_frozen(AutoModel, path, device, dtype, attention, revision)
        self.tokenizer = load_tokenizer(path, revision)
        self.device, self.scale = device, scale
        self.with_prompt, self.batch_tokens = with_prompt, batch_tokens
        self.context = getattr(self.model.config, "max_position_embeddings", None)

    def score(self, comparisons: Sequence[Comparison], *, alone: bool = False) -> list[float]:
        """Return one score a comparison; a text that several share is embedded once."""
        pairs = [(self._text(c, c.reference), self._text(c, c.candidate)) for c in comparisons]
        names: dict[str, str] = {}
        for pair, comparison in zip(pairs, comparisons, strict=True):
            for text in pair:
                names.setdefault(text, comparison.id)
        found = dict(zip(names, self._embed(names, alone), strict=True))
        scores = []
        for (reference, candidate), comparison in zip(pairs, comparisons, strict=True):
            cosine = nn.functional.cosine_similarity(found[reference], found[candidate], dim=0)
            score = self.scale * (float(cosine) - 1)
            if not math.isfinite(score):
                raise ModelError(f"{comparison.id}: the discriminator's score is {score}")
            scores.append(score)
        return scores

    def _text(self, comparison: Comparison, answer: str) -> str:
        return f"{comparison.prompt}\n{answer}" if self.with_prompt else answer

    def _embed(self, names: dict[str, str], alone: bool) -> list[Tensor]:
        """Return the (H,) float32 embeddings of texts, given with the rows they came from."""
        rows = [self._ids(text, name) for text, name in names.items()]
        refuse_overlong(list(names.values()), rows, self.context)
        embedded: dict[int, Tensor] = {}
        lengths = [len(row) for row in rows]
        for places in batches(range(len(rows)), lengths, 1 if alone else self.batch_tokens):
            embedded.update(zip(places, self._mean([rows[p] for p in places]), strict=True))
        return [embedded[place] for place in range(len(rows))]

    def _ids(self, text: str, name: str) -> list[int]:
        """Return a text's ids; one that spells a special token stays text.

        An empty text without any special token around it is the end token alone.
        """
        ids = self.tokenizer.encode(text, split_special_tokens=True)
        if not ids and self.tokenizer.eos_token_id is None:
            raise ModelError(f"{name}: an empty text has no embedding")
        return ids or [self.tokenizer.eos_token_id]

    @torch.inference_mode()
    def _mean(self, rows: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = padded(rows, self.tokenizer.pad_token_id or 0, self.device)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        counted = mask.unsqueeze(2)
        return ((hidden * counted).sum(1) / counted.sum(1)).cpu()
