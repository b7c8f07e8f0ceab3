"""POLAR: one causal pass over reference and candidate, one score at its end.

The score is a bias-free linear head on the last token's hidden state (POLAR, section 4.1). Official
checkpoints and the folders that `uniapl pretrain-polar` writes load alike; the latter are
transformers sequence classifiers with one label, whose config also names `separator_token_id` and
`reward_token_id`. No checkpoint's own code is run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.discriminators.batches import Row
from uniapl_cli.discriminators.discriminator import discriminators
from uniapl_cli.discriminators.local import (
    LocalDiscriminator,
    refuse_nonfinite,
    refuse_overlong,
    scoring,
)
from uniapl_cli.discriminators.polar.internlm2 import is_official, load_official
from uniapl_cli.discriminators.polar.prefixes import Prefixes
from uniapl_cli.discriminators.polar.scorer import Scorer
from uniapl_cli.discriminators.polar.serialise import OFFICIAL, Cut, Format, Serialiser, report_cuts
from uniapl_cli.discriminators.scalar import CLASSIFIER, ScalarModel, new_classifier
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import (
    check_settings,
    check_token,
    check_vocabulary,
    hub_file,
    load_pretrained,
    load_tokenizer,
    read_object,
)
from uniapl_cli.options import key
from uniapl_cli.precision import Precision, forward_pass, freeze, resolve
from uniapl_cli.types import Comparison


class PolarModel(ScalarModel):
    """A classifier in POLAR's format: comparisons to token ids, token ids to scores."""

    def __init__(self, model: Any, tokenizer: Any, format: Format = OFFICIAL) -> None:
        super().__init__(model, tokenizer)
        self.separator_id: int = model.config.separator_token_id
        self.tail_id: int = model.config.reward_token_id
        self.serialiser = Serialiser(tokenizer, self.separator_id, self.tail_id, format)

    def encode(self, comparison: Comparison) -> list[int]:
        """Return the ids of a comparison."""
        return self.serialiser.encode(comparison)[0]


@discriminators.register("polar")
class Polar(Format, LocalDiscriminator):
    """POLAR in this process: how close to the reference a candidate is, in one causal pass."""

    share_prefixes: bool = key(
        True, "compute the prefix that a prompt's candidates share once", may_change=True
    )
    cache_mb: int = key(
        256,
        "memory for long prefixes kept between steps; 0 keeps none; scores are the same",
        ge=0,
        may_change=True,
    )

    def look(self, path: str) -> None:
        """Read the checkpoint's config.json. Raises ModelError for any other model's."""
        read_settings(path, self.revision)

    def make(self, path: str, device: str, precision: Precision = "auto") -> PolarDiscriminator:
        """Load the checkpoint in the folder `path`. Raises ModelError."""
        polar = load_polar(
            path,
            device=device,
            precision=precision,
            attention=self.attention,
            revision=self.revision,
            format=self,
        )
        return PolarDiscriminator(polar, self, precision)


class PolarDiscriminator:
    """A POLAR checkpoint as a Discriminator, in batches of at most `batch_tokens` tokens.

    `truncations` counts the comparisons that lost tokens, by part, over all calls.
    """

    def __init__(self, polar: PolarModel, options: Polar, precision: Precision = "auto") -> None:
        self.polar = polar
        self.precision = precision
        polar.model.eval().requires_grad_(False)
        self.context = getattr(polar.model.config, "max_position_embeddings", None)
        self.truncations: Counter[str] = Counter()
        self.scorer = Scorer(
            polar.backbone,
            polar.head,
            batch_tokens=options.batch_tokens,
            share=options.share_prefixes,
            prefixes=Prefixes(options.cache_mb * 2**20),
        )

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison; ModelError names one that is too long or not finite."""
        encoded = [self.polar.serialiser.encode(comparison) for comparison in comparisons]
        rows, cuts = [tuple(ids) for ids, _ in encoded], [cut for _, cut in encoded]
        names = [comparison.id for comparison in comparisons]
        refuse_overlong(names, rows, self.context)
        self.truncations += report_cuts(comparisons, cuts)
        prefixes = self._prefixes(comparisons, rows, cuts)
        arithmetic = forward_pass(self.precision, self.polar.model.device)
        with scoring(self.scorer.batch_tokens), arithmetic:
            scores = self.scorer(rows, prefixes, batch_invariant=batch_invariant)
        refuse_nonfinite(names, scores)
        return scores

    def _prefixes(
        self, comparisons: Sequence[Comparison], rows: Sequence[Row], cuts: Sequence[Cut]
    ) -> list[Row]:
        """Return the ids that stand before any candidate: reference, separator, the prompt again.

        Empty where the prompt was cut: how much of it is left depends on the candidate.
        """
        prompts = dict.fromkeys(c.prompt for c in comparisons)
        openings = {prompt: self.polar.serialiser.opening(prompt) for prompt in prompts}
        return [
            ()
            if cut.prompt
            else (*row[: row.index(self.polar.separator_id) + 1], *openings[comparison.prompt])
            for comparison, row, cut in zip(comparisons, rows, cuts, strict=True)
        ]


def load_polar(
    path: str | Path,
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    attention: str = "auto",
    revision: str | None = None,
    format: Format = OFFICIAL,
) -> PolarModel:
    """Load a POLAR checkpoint, official or trained here, from a folder or the hub.

    Raises ModelError for any other model.
    """
    settings = read_settings(path, revision)
    if is_official(settings):
        model, tokenizer = load_official(path, settings, attention, revision)
        model = freeze(model, resolve(precision, device)).to(device)
        return PolarModel(model, tokenizer, format)
    model = load_pretrained(
        CLASSIFIER,
        path,
        device,
        dtype=torch.float32,
        precision=precision,
        frozen=True,
        attention=attention,
        revision=revision,
    )
    tokenizer = load_tokenizer(path, revision)
    check_vocabulary(path, tokenizer, model.config)
    return PolarModel(model, tokenizer, format)


def read_settings(path: str | Path, revision: str | None = None) -> dict[str, Any]:
    """Read the config.json of a POLAR checkpoint. Raises ModelError for any other model's."""
    file = hub_file(path, "config.json", revision)
    if file is None:
        message = f"no discriminator in '{path}': there is no config.json, here or on the hub"
        raise ModelError(message, got=path)
    settings = read_object(file)
    check_settings(file, settings)
    missing = [n for n in ("separator_token_id", "reward_token_id") if n not in settings]
    if missing and not is_official(settings):
        kind = (settings.get("architectures") or ["unknown"])[0]
        raise ModelError(
            f"'{path}' is no POLAR-format discriminator: its config.json lacks "
            f"{', '.join(missing)} (architecture: {kind})",
            got=missing,
        )
    for name in ("separator_token_id", "reward_token_id"):
        if name in settings:
            check_token(file, settings, name)
    return settings


def new_polar(
    init: str | Path,
    separator: str,
    tail: str,
    format: Format = OFFICIAL,
    *,
    tokenizer: Any = None,
) -> PolarModel:
    """Start a discriminator from a language model's weights, its head at zero (as POLAR does)."""
    tokenizer = tokenizer or load_tokenizer(init)
    ids = [token_id(tokenizer, token) for token in (separator, tail)]
    model = new_classifier(init)
    model.config.separator_token_id, model.config.reward_token_id = ids
    return PolarModel(model, tokenizer, format)


def token_id(tokenizer: Any, token: str) -> int:
    """Return the id of a token. Raises ModelError where the tokenizer has none of that name."""
    id: int | None = tokenizer.convert_tokens_to_ids(token)
    if id is None or id == tokenizer.unk_token_id:
        problem = f"the tokenizer of '{tokenizer.name_or_path}' has no token '{token}'"
        raise ModelError(problem, got=token)
    return id
