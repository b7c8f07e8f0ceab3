"""A POLAR-format discriminator: one causal pass over reference and candidate, one score at its end.

    [bos] prompt \\n reference <separator> prompt \\n candidate <tail>

The score is a bias-free linear head on the last token's hidden state (POLAR, section 4.1). The
folder is that of a transformers sequence classifier with one label, whose config also names
`separator_token_id` and `reward_token_id`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.chat import first_line, load_tokenizer
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.errors import ModelError
from uniapl_cli.tensors import PairBatch
from uniapl_cli.types import Comparison


class PolarModel:
    """A transformers sequence classifier read as POLAR does: token ids in, one score a row out."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.separator_id: int = model.config.separator_token_id
        self.tail_id: int = model.config.reward_token_id
        # Text that spells a special token must not become one.
        spelt = {*tokenizer.all_special_tokens, *filter(is_special, tokenizer.get_vocab())}
        self.specials = sorted(spelt, key=len, reverse=True)

    @property
    def backbone(self) -> nn.Module:
        """The decoder without its head."""
        return getattr(self.model, self.model.base_model_prefix)

    def encode(self, comparison: Comparison) -> list[int]:
        """Return the ids of a comparison. Special tokens spelt in the texts are taken out."""
        prompt = self._clean(comparison.prompt)
        halves = [
            self.tokenizer.encode(f"{prompt}\n{self._clean(answer)}", add_special_tokens=False)
            for answer in (comparison.reference, comparison.candidate)
        ]
        bos = self.tokenizer.bos_token_id
        start = [] if bos is None else [bos]
        return [*start, *halves[0], self.separator_id, *halves[1], self.tail_id]

    def _clean(self, text: str) -> str:
        before = None
        while before != text:
            before = text
            for special in self.specials:
                text = text.replace(special, "")
        return text

    def scores(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (R,) float32 scores. tokens: (R, L) padded on the right, lengths: (R,)."""
        hidden = self.backbone(input_ids=tokens, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(tokens), device=tokens.device), lengths - 1]
        return nn.functional.linear(last.float(), self.model.score.weight.float()).squeeze(1)

    def forward(self, batch: PairBatch) -> Tensor:
        """Return the (B, 2) scores of a batch of pairs, for training."""
        flat = self.scores(batch.tokens.flatten(0, 1), batch.lengths.flatten())
        return flat.unflatten(0, (-1, 2))


def is_special(token: str) -> bool:
    """Whether a vocabulary entry is a control token such as `<|im_end|>`."""
    return token.startswith("<|") and token.endswith("|>")


@discriminators.register("polar")
class PolarDiscriminator:
    """Scores in batches of similar length that hold at most `batch_tokens` tokens."""

    def __init__(
        self, path: Path, device: str, dtype: torch.dtype, *, batch_tokens: int = 16384
    ) -> None:
        self.polar = load_polar(path)
        self.polar.model.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self.device = device
        self.batch_tokens = batch_tokens

    def score(self, comparisons: Sequence[Comparison]) -> list[float]:
        """Return one score a comparison, whatever batch it fell into."""
        rows = [self.polar.encode(comparison) for comparison in comparisons]
        context = getattr(self.polar.model.config, "max_position_embeddings", math.inf)
        scores = [math.nan] * len(rows)
        for places in self._batches(rows):
            if len(rows[places[0]]) > context:
                raise ModelError(
                    f"{comparisons[places[0]].id}: {len(rows[places[0]])} tokens to score exceed "
                    f"the discriminator's context of {context}; shorten the response"
                )
            for place, score in zip(places, self._forward([rows[p] for p in places]), strict=True):
                scores[place] = score
        for comparison, score in zip(comparisons, scores, strict=True):
            if not math.isfinite(score):
                raise ModelError(f"{comparison.id}: the discriminator's score is {score}")
        return scores

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield places, longest first, so that the first of a batch is its width."""
        batch: list[int] = []
        for place in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
            if batch and (len(batch) + 1) * len(rows[batch[0]]) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Sequence[int]]) -> list[float]:
        width = len(rows[0])
        tokens = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        return self.polar.scores(tokens.to(self.device), lengths.to(self.device)).tolist()


def load_polar(path: Path) -> PolarModel:
    """Load a POLAR-format folder. Raises ModelError for any other model."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"no discriminator in '{path}': {first_line(error)}") from error
    missing = [n for n in ("separator_token_id", "reward_token_id") if not hasattr(config, n)]
    if missing:
        raise ModelError(
            f"'{path}' is no POLAR-format discriminator: its config.json lacks {', '.join(missing)}"
        )
    return PolarModel(_classifier(path, config=config), load_tokenizer(path))


def new_polar(init: Path, separator: str, tail: str) -> PolarModel:
    """Start a discriminator from a language model's weights, its head at zero (as POLAR does)."""
    tokenizer = load_tokenizer(init)
    ids = tokenizer.convert_tokens_to_ids([separator, tail])
    for token, number in zip((separator, tail), ids, strict=True):
        if number is None or number == tokenizer.unk_token_id:
            raise ModelError(f"the tokenizer of '{init}' has no token '{token}'")
    model = _classifier(init, lacks=["score.weight"], num_labels=1)
    nn.init.zeros_(model.score.weight)
    model.config.separator_token_id, model.config.reward_token_id = ids
    return PolarModel(model, tokenizer)


def _classifier(path: Path, *, lacks: Sequence[str] = (), **options: Any) -> Any:
    """Load a sequence classifier; weights other than `lacks` must all be in the folder."""
    from transformers import AutoModelForSequenceClassification

    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            path, trust_remote_code=False, dtype=torch.float32, output_loading_info=True, **options
        )
    except Exception as error:
        # A damaged file makes safetensors and torch raise errors of their own kinds.
        raise ModelError(f"cannot load '{path}': {first_line(error)}") from error
    missing = sorted(set(found["missing_keys"]) - set(lacks))
    if missing:
        raise ModelError(f"cannot load '{path}': it lacks the weights {', '.join(missing[:3])}")
    return model
