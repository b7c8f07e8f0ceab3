"""What turns the hidden states of a causal language model into its logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from uniapl_cli.errors import ModelError
from uniapl_cli.products import own_dtype, product, uses_tf32

# Names in config.json of a number that logits are multiplied or divided by (Cohere's, Granite's
# and MiniCPM3's, Falcon-H1's, Inkling's), and of one that tanh bends them below (Gemma 2's,
# RecurrentGemma's, xLSTM's).
SCALES = (
    "logit_scale",
    "logits_scaling",
    "lm_head_multiplier",
    "logits_mup_width_multiplier",
)
CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
# The size of the logits that a head is tried with: caps are about 30.
PROBED = 40.0


class Head:
    """A model's vocabulary head: a product with `weight`, then `finish`.

    config.json names the numbers that the logits are scaled and capped by; the model's own logits
    tell whether it multiplies, divides or ignores them. Raises ModelError for a model whose logits
    are made in a way that is not known here.
    """

    def __init__(self, model: Any) -> None:
        self.linear: nn.Linear = model.get_output_embeddings()
        self.scale, self.cap = 1.0, 0.0
        if self.linear is None or not self._fit(model):
            raise _unknown(model)

    @property
    def weight(self) -> Tensor:
        """The vocabulary's weights (V, H)."""
        return self.linear.weight

    @property
    def bias(self) -> Tensor | None:
        """What is added to a token's logit (V,)."""
        return self.linear.bias

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., V) of hidden states (..., H)."""
        device = self.weight.device
        with own_dtype(device, uses_tf32(device)):
            return self.finish(self.linear(hidden.to(self.weight.dtype)))

    def finish(self, logits: Tensor) -> Tensor:
        """Return the model's logits, given the products with the vocabulary."""
        if self.scale != 1:
            logits = logits * self.scale
        if self.cap:
            logits = (logits / self.cap).tanh() * self.cap
        return logits

    @torch.no_grad()
    def _fit(self, model: Any) -> bool:
        """Set scale and cap to those with which the model's own logits are met, if there are."""
        ids = torch.tensor([[0, 1, 2]], device=model.device)
        alone = backbone(model)(input_ids=ids, use_cache=False)[0]
        if alone.shape[-1] != self.weight.shape[1]:
            return False
        noise = torch.randn(alone.shape, generator=torch.Generator().manual_seed(0))
        noise = noise.to(alone)
        probe = noise * (PROBED / self.linear(noise).float().std().clamp(min=1e-6)).to(noise)
        hidden, logits = _replaced(model, ids, probe)
        if not _close(alone, hidden):
            return False
        for self.scale, self.cap in candidates(model.config.get_text_config()):
            if _close(self(probe), logits):
                return True
        return False


def keep_own_dtype(layer: nn.Linear) -> RemovableHandle:
    """Have a layer inside a model give what `product` does, until the handle is removed."""

    def multiply(layer: Any, args: Any, output: Any) -> Tensor:
        return product(args[0], layer.weight, layer.bias)

    return layer.register_forward_hook(multiply)


def backbone(model: Any) -> Any:
    """Return what a causal language model has below its head. Raises ModelError."""
    for name in (model.base_model_prefix, "model", "language_model"):
        inner = getattr(model, name, None)
        if inner is not None:  # a whole language model where it stands beside a tower
            return backbone(inner) if hasattr(inner, "lm_head") else inner
    raise _unknown(model)


@torch.no_grad()
def check_causal(model: Any) -> None:
    """Refuse a model that reads what comes behind a token too. Raises ModelError."""
    ids = torch.tensor([[0, 1, 2, 3]], device=model.device)
    read = backbone(model)
    whole, half = (read(input_ids=part, use_cache=False)[0] for part in (ids, ids[:, :2]))
    if not _close(half, whole[:, :2]):
        kind = type(model).__name__
        raise ModelError(f"{kind} is not causal: it reads what comes behind a token", got=kind)


def _unknown(model: Any) -> ModelError:
    kind = type(model).__name__
    return ModelError(
        f"{kind} makes its logits in a way that is not known here: neither by a product "
        "with the vocabulary alone, nor by one that a number scales or caps",
        got=kind,
    )


def candidates(config: Any) -> Iterator[tuple[float, float]]:
    """Yield pairs of a scale and a cap (0: none) that a model with this config may have."""
    scales = [1.0, *_numbers(config, SCALES)]
    for cap in (*_numbers(config, CAPS), 0.0):
        for number in scales:
            yield number, cap
            yield 1 / number, cap


def _numbers(config: Any, names: Iterable[str]) -> list[float]:
    values = [getattr(config, name, None) for name in names]
    return [float(value) for value in values if isinstance(value, (int, float)) and value]


def _replaced(model: Any, ids: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """Return the backbone's hidden states within the model, and the logits of `probe` instead."""
    seen = []

    def replace(module: nn.Module, args: Any, output: Any) -> Any:
        seen.append(output[0])
        if isinstance(output, tuple):
            return (probe, *output[1:])
        output["last_hidden_state"] = probe
        return output

    head = model.get_output_embeddings()
    for module in (backbone(model), model.get_decoder()):  # OPT calls the decoder in its backbone
        hooks = [module.register_forward_hook(replace), keep_own_dtype(head)]
        try:
            logits = model(input_ids=ids, use_cache=False).logits
        finally:
            for hook in hooks:
                hook.remove()
        if seen:
            return seen[-1], logits
    raise _unknown(model)


def _close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two tensors are equal up to the rounding of their dtypes."""
    if ours.shape != theirs.shape:
        return False
    rounded = torch.is_autocast_enabled(ours.device.type)
    tolerance = 1e-3 if ours.dtype == theirs.dtype == torch.float32 and not rounded else 3e-2
    ours, theirs = ours.float(), theirs.float()
    return bool((ours - theirs).abs().max() <= tolerance * theirs.abs().max())
