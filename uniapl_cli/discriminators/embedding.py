"""Closeness in meaning: the cosine of two texts' embeddings by any encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.local import (
    LocalDiscriminator,
    refuse_nonfinite,
    refuse_overlong,
    scoring,
)
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import check_vocabulary, load_tokenizer
from uniapl_cli.options import key
from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Comparison


@discriminators.register("embedding")
class Embedding(LocalDiscriminator):
    """Closeness in meaning: scale * (cosine - 1) of an encoder's mean hidden states."""

    scale: float = key(4.0, "opposite directions score -2 * scale, the same one 0", gt=0)
    with_prompt: bool = key(False, "embed each answer behind its prompt")

    def make(self, path: str, device: str, precision: Precision = "auto") -> EmbeddingDiscriminator:
        """Load the encoder in the folder `path`. Raises ModelError."""
        model = self.load("AutoModel", path, device, precision)
        tokenizer = load_tokenizer(path, self.revision)
        check_vocabulary(path, tokenizer, model.config)
        return EmbeddingDiscriminator(model, tokenizer, self, precision)


class EmbeddingDiscriminator:
    """scale * (cosine - 1) of candidate and reference, embedded by an encoder's mean hidden state.

    0 means the same direction, where the anchor's coefficient is greatest; -2 * scale the opposite.
    """

    def __init__(
        self, model: Any, tokenizer: Any, options: Embedding, precision: Precision = "auto"
    ) -> None:
        self.model, self.tokenizer, self.options = model, tokenizer, options
        self.precision = precision
        self.context = getattr(model.config, "max_position_embeddings", None)

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison; a text that several share is embedded once."""
        pairs = [(self._text(c, c.reference), self._text(c, c.candidate)) for c in comparisons]
        names: dict[str, str] = {}
        for pair, comparison in zip(pairs, comparisons, strict=True):
            for text in pair:
                names.setdefault(text, comparison.id)
        embedded = dict(zip(names, self._embed(names, batch_invariant), strict=True))
        scores = [self._score(embedded[one], embedded[other]) for one, other in pairs]
        refuse_nonfinite([comparison.id for comparison in comparisons], scores)
        return scores

    def _score(self, reference: Tensor, candidate: Tensor) -> float:
        cosine = nn.functional.cosine_similarity(reference, candidate, dim=0)
        return self.options.scale * (float(cosine) - 1)

    def _text(self, comparison: Comparison, answer: str) -> str:
        return f"{comparison.prompt}\n{answer}" if self.options.with_prompt else answer

    def _embed(self, names: dict[str, str], batch_invariant: bool) -> list[Tensor]:
        """Return the (H,) float32 embeddings of texts. names: text -> the comparison's id."""
        rows = [self._tokens(text, name) for text, name in names.items()]
        refuse_overlong(list(names.values()), rows, self.context)
        embedded: dict[int, Tensor] = {}
        lengths = [len(row) for row in rows]
        budget = 1 if batch_invariant else self.options.batch_tokens
        for indices in batches(range(len(rows)), lengths, budget):
            means = self._mean([rows[index] for index in indices])
            embedded.update(zip(indices, means, strict=True))
        return [embedded[index] for index in range(len(rows))]

    def _tokens(self, text: str, name: str) -> list[int]:
        """Return a text's token ids; text that spells a special token stays text.

        A text without any token is the end token alone. Raises ModelError where there is none.
        """
        tokens = self.tokenizer.encode(text, split_special_tokens=True)
        if not tokens and self.tokenizer.eos_token_id is None:
            raise ModelError("an empty text has no embedding", where=name)
        return tokens or [self.tokenizer.eos_token_id]

    @torch.inference_mode()
    def _mean(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the (R, H) means of the last hidden states of rows of token ids."""
        ids, mask = pad_ids(rows, self.tokenizer.pad_token_id or 0)
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        arithmetic = forward_pass(self.precision, self.model.device)
        with scoring(self.options.batch_tokens), arithmetic:
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(2)
        return ((hidden * weight).sum(1) / weight.sum(1)).cpu()
