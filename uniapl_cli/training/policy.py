"""Trainable models; a policy's log-probabilities, and its weights in folders."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from uniapl_cli.errors import ModelError
from uniapl_cli.folders import replacing_folder
from uniapl_cli.head import Head, check_causal
from uniapl_cli.loading import (
    check_vocabulary,
    load_pretrained,
    load_tokenizer,
    policy_class,
    processor_files,
)
from uniapl_cli.precision import DTYPES, Dtype, Precision, arithmetic, forward_pass
from uniapl_cli.products import uses_tf32
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.readings import Reading
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.adapter import (
    adapted_layers,
    adapter_disabled,
    adapter_weights,
    merged,
    save_adapter,
)
from uniapl_cli.training.beside import Teacher, gauge_of
from uniapl_cli.training.scorer import Scorer
from uniapl_cli.training.weights import cast, gathered, with_head_apart


class Trainable(Protocol):
    """A model in training; `forward(batch)` returns the objectives' first argument."""

    model: Any
    tokenizer: Any
    device: torch.device
    ranks: Ranks

    def forward(self, batch: Any) -> Tensor:
        """Return the outputs for a batch."""
        ...

    def forward_with(
        self, batch: Any, readings: Sequence[Reading]
    ) -> tuple[Tensor, Mapping[Reading, Tensor]]:
        """Return the outputs for a batch, and beside them what else is to be read of it."""
        raise TypeError(f"a {type(self).__name__} has nothing to be read beside its outputs")


class Policy:
    """A causal language model as a policy: TokenBatch -> log-probabilities (B, T)."""

    ranks: Ranks = ALONE

    def __init__(
        self, model: Any, tokenizer: Any, precision: Precision = "auto", *, ranks: Ranks = ALONE
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.precision = precision
        self.ranks = ranks
        self.device: torch.device = model.device
        with arithmetic(precision, self.device):  # attention may take no other dtype
            self.net = Scorer(model, Head(model), precision)
            check_causal(model)
        ranks.wrap(self.net, self.net.units)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities of the masked tokens, 0 elsewhere."""
        return self.forward_with(batch, ())[0]

    def forward_with(
        self, batch: TokenBatch, readings: Sequence[Reading]
    ) -> tuple[Tensor, Mapping[Reading, Tensor]]:
        """Return the log-probabilities, and what else is to be read of the masked tokens.

        All are (B, T), 0 where the mask is False, and differentiable.
        """
        gauges = tuple(gauge_of(reading, batch) for reading in readings)
        logps, *values = self.net(batch.tokens, batch.loss_mask, batch.temperature, gauges)
        return logps, dict(zip(readings, values, strict=True))

    @torch.no_grad()
    def teacher(self, batch: TokenBatch) -> Teacher:
        """Return the whole distributions of the masked tokens, as it is now."""
        (hidden,) = self.net(batch.tokens, batch.loss_mask, batch.temperature, hidden=True)
        head = self.net.head
        bias = None if head.bias is None else self._whole(head.bias)
        with forward_pass(self.precision, self.device):
            computed = batch.temperature, uses_tf32(self.device)
        return Teacher(hidden, self._whole(head.weight), bias, head.finish, *computed)

    def _whole(self, weight: Tensor) -> Tensor:
        return self.ranks.full(weight.detach()).to(self.device)

    def export(self, folder: Path, dtype: torch.dtype) -> None:
        """Write a folder that vLLM loads: `save_folder` with the head apart, not kept for good."""
        named: Any = str(dtype).removeprefix("torch.")
        options: Any = {"apart": True, "durable": False, "ranks": self.ranks}
        save_folder(folder, self.model, self.tokenizer, named, **options)

    def checkpoint(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the weights that `export` writes, by the names they have there.

        All ranks ask for them, and the first one gets them.
        """
        from transformers.core_model_loading import revert_weight_conversion

        state = weights(self.model, self.ranks)
        if not self.ranks.first:
            return {}
        state = with_head_apart(self.model, cast(state, dtype))
        named: dict[str, Tensor] = revert_weight_conversion(self.model, state)
        return named


class WithoutAdapter(Policy):
    """The policy with its adapter disabled: what training started from, without a second copy."""

    def __init__(self, policy: Policy) -> None:
        vars(self).update(vars(policy))

    @torch.no_grad()
    def forward_with(
        self, batch: TokenBatch, readings: Sequence[Reading]
    ) -> tuple[Tensor, Mapping[Reading, Tensor]]:
        """Return what the frozen weights give, without gradients."""
        with adapter_disabled(self.model):
            return super().forward_with(batch, readings)

    @torch.no_grad()
    def teacher(self, batch: TokenBatch) -> Teacher:
        """Return what the frozen weights give."""
        with adapter_disabled(self.model):
            return super().teacher(batch)


def load_model(
    path: str | Path, device: str, *, dtype: torch.dtype = torch.float32, **options: Any
) -> Any:
    """Load a causal language model by `load_pretrained`. Raises ModelError for another kind.

    One with towers for images or sounds keeps them, and the files of its processors, as
    `processor_files`, until it is saved.
    """
    revision = options.get("revision")
    model = load_pretrained(policy_class(path, revision), path, device, dtype=dtype, **options)
    model.processor_files = processor_files(path, revision)
    refuse_classifier(path, model.config)
    return model


def refuse_classifier(path: str | Path, config: Any) -> None:
    """Raise ModelError for a classifier, whose weights but for its head would load."""
    kinds = config.architectures or []
    if any(kind.endswith("ForSequenceClassification") for kind in kinds):
        problem = f"cannot load '{path}': it is a {kinds[0]}, not a causal language model"
        raise ModelError(problem, got=kinds[0])


def stop_at(token: int, model: Any, tokenizer: Any) -> None:
    """Make the token an end of responses in the saved model, so that other tools stop there too."""
    generation = model.generation_config
    listed = generation.eos_token_id
    listed = listed if isinstance(listed, list) else [listed]
    if token not in listed:
        generation.eos_token_id = [token, *(other for other in listed if other is not None)]
    if tokenizer.eos_token_id != token:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(token)


def load_policy(
    path: str | Path,
    device: str,
    precision: Precision = "auto",
    *,
    ranks: Ranks = ALONE,
    **options: Any,
) -> Policy:
    """Load a policy with its tokenizer. Raises ModelError."""
    tokenizer = load_tokenizer(path, options.get("revision"))
    model = load_model(path, device, precision=precision, **options)
    check_vocabulary(path, tokenizer, model.config)
    return Policy(model, tokenizer, precision, ranks=ranks)


def set_dtype(config: Any, named: str) -> None:
    """Have a model's config, and those of its parts, say what the weights are kept in."""
    config.dtype = named
    for name in config.sub_configs:
        if (part := getattr(config, name, None)) is not None:
            set_dtype(part, named)


def weights(model: Any, ranks: Ranks = ALONE) -> Mapping[str, Tensor]:
    """Return the weights by name, an adapter merged into them, on the first rank; {} on others."""
    if adapted_layers(model):
        return merged(model, ranks)
    return gathered(model.state_dict(keep_vars=True), ranks)


def untie(config: Any) -> None:
    """Have a model's config, and those of its parts, say that the head is no embedding."""
    config.tie_word_embeddings = False
    for name in config.sub_configs:
        if (part := getattr(config, name, None)) is not None:
            untie(part)


def save_folder(
    folder: Path,
    model: Any,
    tokenizer: Any,
    dtype: Dtype = "auto",
    texts: Mapping[str, str] | None = None,
    *,
    apart: bool = False,
    durable: bool = True,
    ranks: Ranks = ALONE,
) -> None:
    """Write a folder that `from_pretrained` loads, atomically; the weights as `dtype`.

    An adapter is merged into the weights, and also saved by itself in the subfolder `adapter`.
    The files of the processors are as they were. texts: further files by name, such as README.md.
    apart: with a tied head as weights of its own. durable: as in `replacing_folder`. All of the
    model's ranks call it, and the first one writes. Raises OutputError.
    """
    state, adapter = weights(model, ranks), adapter_weights(model, ranks)
    if not ranks.first:
        return
    adapted = bool(adapter)
    named = str(model.dtype).removeprefix("torch.")
    if dtype != "auto" or adapted:  # frozen weights may be bfloat16
        named = dtype if dtype != "auto" else "float32"
        state = cast(state, DTYPES[named])
    config = copy.deepcopy(model.config)
    set_dtype(config, named)
    if apart:
        state = with_head_apart(model, state)
        untie(config)
    with replacing_folder(folder, durable=durable) as scratch:
        model.save_pretrained(scratch, state_dict=state)
        config.save_pretrained(scratch)
        if adapted:
            save_adapter(scratch / "adapter", model, adapter)
        tokenizer.save_pretrained(scratch)
        for name, content in getattr(model, "processor_files", {}).items():
            (scratch / name).write_bytes(content)
        for name, text in (texts or {}).items():
            (scratch / name).write_text(text, encoding="utf-8")
