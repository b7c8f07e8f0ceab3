"""Any scalar reward model as a discriminator: how good the candidate is, not how close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from uniapl_cli.discriminators.batches import batches
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.local import (
    LocalDiscriminator,
    refuse_nonfinite,
    refuse_overlong,
    scoring,
)
from uniapl_cli.discriminators.polar.serialise import remove_all, special_strings
from uniapl_cli.errors import ModelError
from uniapl_cli.head import keep_own_dtype
from uniapl_cli.loading import check_vocabulary, load_tokenizer
from uniapl_cli.options import key
from uniapl_cli.precision import Precision, forward_pass
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Comparison


@discriminators.register("reward_model")
class RewardModel(LocalDiscriminator):
    """Any scalar reward model: how good the candidate is, by its tokenizer's chat template."""

    against: Literal["reference", "nothing"] = key(
        "reference", "subtract the reference's own score, so that 0 is as good as it; or nothing"
    )

    def make(
        self, path: str, device: str, precision: Precision = "auto"
    ) -> RewardModelDiscriminator:
        """Load the classifier in the folder `path`. Raises ModelError."""
        model = self.load("AutoModelForSequenceClassification", path, device, precision)
        labels = model.config.num_labels
        if labels != 1:
            message = f"'{path}' is no reward model: it has {labels} labels, not 1"
            raise ModelError(message, got=labels)
        for layer in model.modules():
            if isinstance(layer, nn.Linear) and layer.out_features == 1:
                keep_own_dtype(layer)
        tokenizer = load_tokenizer(path, self.revision)
        check_vocabulary(path, tokenizer, model.config)
        if not tokenizer.chat_template:
            raise ModelError(f"the tokenizer of '{path}' has no chat template")
        return RewardModelDiscriminator(model, tokenizer, self, precision)


class RewardModelDiscriminator:
    """A sequence classifier's one logit of prompt and candidate.

    Such a model knows no reference. Against "reference" the reference's own score is subtracted,
    so that 0 means "as good as the reference"; against "nothing" it is not.
    """

    def __init__(
        self, model: Any, tokenizer: Any, options: RewardModel, precision: Precision = "auto"
    ) -> None:
        self.model, self.tokenizer, self.options = model, tokenizer, options
        self.precision = precision
        # Without a pad token transformers does not find the end of a padded row.
        self.pad: int | None = model.config.pad_token_id
        self.batch_tokens = 1 if self.pad is None else options.batch_tokens
        self.context = getattr(model.config, "max_position_embeddings", None)
        self.specials = special_strings(tokenizer)

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison; an answer that several share is scored once."""
        subtracts = self.options.against == "reference"
        names: dict[tuple[str, str], str] = {}
        for comparison in comparisons:
            names.setdefault((comparison.prompt, comparison.candidate), comparison.id)
            if subtracts:
                names.setdefault((comparison.prompt, comparison.reference), comparison.id)
        scores = dict(zip(names, self._scores(names, batch_invariant), strict=True))
        refuse_nonfinite(list(names.values()), list(scores.values()))
        return [
            scores[c.prompt, c.candidate] - (scores[c.prompt, c.reference] if subtracts else 0.0)
            for c in comparisons
        ]

    def _scores(self, names: dict[tuple[str, str], str], batch_invariant: bool) -> list[float]:
        """Return the logits of answers. names: (prompt, answer) -> the comparison's id."""
        rows = [conversation(self.tokenizer, self.specials, *texts) for texts in names]
        refuse_overlong(list(names.values()), rows, self.context)
        scores: dict[int, float] = {}
        lengths = [len(row) for row in rows]
        budget = 1 if batch_invariant else self.batch_tokens
        for indices in batches(range(len(rows)), lengths, budget):
            logits = self._forward([rows[index] for index in indices])
            scores.update(zip(indices, logits, strict=True))
        return [scores[index] for index in range(len(rows))]

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Sequence[int]]) -> list[float]:
        ids, mask = pad_ids(rows, self.pad or 0)
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        arithmetic = forward_pass(self.precision, self.model.device)
        with scoring(self.batch_tokens), arithmetic:
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        return logits[:, 0].float().tolist()


def conversation(tokenizer: Any, specials: Sequence[str], prompt: str, answer: str) -> list[int]:
    """Return the ids of a prompt and its answer, by the tokenizer's chat template.

    Strings that spell a special token are removed: an answer must not open another turn. Template
    and content are tokenized as one text, so such strings cannot be kept as text.
    """
    turns = [
        {"role": "user", "content": remove_all(prompt, specials)},
        {"role": "assistant", "content": remove_all(answer, specials)},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids
