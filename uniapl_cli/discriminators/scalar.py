"""Sequence classifiers with one label: token ids in, one score a row out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.batches import PairBatch
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import check_vocabulary, load_pretrained, load_tokenizer, read_model_config
from uniapl_cli.products import product

CLASSIFIER = "AutoModelForSequenceClassification"


class ScalarModel:
    """A transformers sequence classifier: the score of a row is read at its last token."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    @property
    def backbone(self) -> nn.Module:
        """The decoder without its head."""
        return getattr(self.model, self.model.base_model_prefix)

    def head(self, hidden: Tensor) -> Tensor:
        """Return (R,) float32 scores of last hidden states (R, H)."""
        return product(hidden, self.model.score.weight).squeeze(1)

    def scores(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (R,) float32 scores. tokens: (R, L) padded on the right, lengths: (R,)."""
        hidden = self.backbone(input_ids=tokens, use_cache=False).last_hidden_state
        return self.head(hidden[torch.arange(len(tokens), device=tokens.device), lengths - 1])

    def forward(self, batch: PairBatch) -> Tensor:
        """Return the (B, 2) scores of a batch of pairs, for training."""
        flat = self.scores(batch.tokens.flatten(0, 1), batch.lengths.flatten())
        return flat.unflatten(0, (-1, 2))


def new_classifier(init: str | Path, device: str = "cpu", **options: Any) -> Any:
    """Load a language model as a classifier whose head is zero (as POLAR starts).

    Raises ModelError.
    """
    new: Any = {"dtype": torch.float32, "lacks": ["score.weight"], "num_labels": 1}
    model = load_pretrained(CLASSIFIER, init, device, **new, **options)
    nn.init.zeros_(model.score.weight)
    model.config.architectures = [type(model).__name__]  # or it would be saved as what it was
    return model


def load_scalar(path: str | Path, device: str, **options: Any) -> ScalarModel:
    """Load a reward model with its tokenizer, to be trained. Raises ModelError for another kind."""
    look_scalar(path)
    model = load_pretrained(CLASSIFIER, path, device, dtype=torch.float32, **options)
    head = getattr(model, "score", None)
    if not isinstance(head, nn.Linear) or head.bias is not None:
        problem = f"'{path}' scores by something else than one product with the last hidden state"
        raise ModelError(problem, got=type(model).__name__)
    tokenizer = load_tokenizer(path)
    check_vocabulary(path, tokenizer, model.config)
    return ScalarModel(model, tokenizer)


def look_scalar(path: str | Path) -> None:
    """Read the config.json of a reward model. Raises ModelError for another kind of model."""
    config = read_model_config(path)
    kind = (config.architectures or ["unknown"])[0]
    if not kind.endswith("ForSequenceClassification") or config.num_labels != 1:
        problem = f"'{path}' is no reward model: it is a {kind} with {config.num_labels} labels"
        raise ModelError(problem, "Name a sequence classifier with one label", got=kind)
