"""Any scalar reward model as a discriminator: how good the candidate is, not how close."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from uniapl_cli.chat import load_tokenizer
from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.local import load_frozen, padded, refuse_overlong
from uniapl_cli.discriminators.serialise import specials_of, without
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Comparison


@discriminators.register("reward_model")
class RewardModelDiscriminator:
    """A sequence classifier's one logit of prompt and candidate, by its tokenizer's chat template.

    Such a model knows no reference. Against "reference" its own score of the reference is
    subtracted, so that 0 means "as good as the reference"; against "nothing" it is left out.
    """

    def __init__(
        self,
        path: str | Path,
        device: str,
        dtype: torch.dtype,
        *,
        against: Literal["reference", "nothing"] = "reference",
        batch_tokens: int = 16384,
        attention: str = "sdpa",
        revision: str | None = None,
    ) -> None:
        from transformers import AutoModelForSequenceClassification

        self.model = load_frozen(
            AutoModelForSequenceClassification, path, device, dtype, attention, revision
        )
        if self.model.config.num_labels != 1:
            raise ModelError(
                f"'{path}' is no reward model: it has {self.model.config.num_labels} labels, not 1"
            )
        self.tokenizer = load_tokenizer(path, revision)
        if not self.tokenizer.chat_template:
            raise ModelError(f"the tokenizer of '{path}' has no chat template")
        self.device, self.against = device, against
        # Without a pad token transformers does not find the end of a padded row.
        self.pad: int | None = self.model.config.pad_token_id
        self.batch_tokens = 0 if self.pad is None else batch_tokens
        self.context = getattr(self.model.config, "max_position_embeddings", None)
        self.specials = specials_of(self.tokenizer)

    def score(self, comparisons: Sequence[Comparison], *, alone: bool = False) -> list[float]:
        """Return one score a comparison; an answer that several share is scored once."""
        names: dict[tuple[str, str], str] = {}
        for comparison in comparisons:
            names.setdefault((comparison.prompt, comparison.candidate), comparison.id)
            if self.against == "reference":
                names.setdefault((comparison.prompt, comparison.reference), comparison.id)
        found = dict(zip(names, self._scores(names, alone), strict=True))
        for pair, score in found.items():
            if not math.isfinite(score):
                raise ModelError(f"{names[pair]}: the discriminator's score is {score}")
        return [
            found[c.prompt, c.candidate]
            - (found[c.prompt, c.reference] if self.against == "reference" else 0.0)
            for c in comparisons
        ]

    def _scores(self, names: dict[tuple[str, str], str], alone: bool) -> list[float]:
        rows = [self._ids(prompt, answer) for prompt, answer in names]
        refuse_overlong(list(names.values()), rows, self.context)
        scores: dict[int, float] = {}
        lengths = [len(row) for row in rows]
        for places in batches(range(len(rows)), lengths, 1 if alone else self.batch_tokens):
            scores.update(zip(places, self._forward([rows[p] for p in places]), strict=True))
        return [scores[place] for place in range(len(rows))]

    def _ids(self, prompt: str, answer: str) -> list[int]:
        turns = [
            {"role": "user", "content": self._clean(prompt)},
            {"role": "assistant", "content": self._clean(answer)},
        ]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False)
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _clean(self, text: str) -> str:
        """Take out what spells a special token: an answer must not end its turn and open another.

        A template and its content are tokenized as one text, so it cannot be left as text.
        """
        return without(text, self.specials)

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Sequence[int]]) -> list[float]:
        ids, mask = padded(rows, self.pad or 0, self.device)
        return self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
