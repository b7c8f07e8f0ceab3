"""What the backward pass keeps of a layer: all that was computed in it, or its inputs alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from uniapl_cli.errors import ModelError
from uniapl_cli.precision import Precision, forward_pass


def checkpoint_activations(model: Any, precision: Precision) -> None:
    """Have the backward pass recompute each layer of the decoder from its inputs.

    A layer is recomputed in the arithmetic that it was computed in, by the same products. Not by
    transformers' own switch, which works in training mode only, where dropout is on. Raises
    ModelError for a model without such layers.
    """
    layers = outermost(model.get_decoder())
    if not layers:
        kind = type(model).__name__
        raise ModelError(f"{kind} has no layers that can be computed again", got=kind)
    for layer in layers:
        layer.forward = partial(_recomputed, layer.forward, precision)


def outermost(module: nn.Module) -> list[Any]:
    """Return the layers below a module that transformers recomputes, none inside another."""
    if isinstance(module, GradientCheckpointingLayer):
        return [module]
    return [layer for child in module.children() for layer in outermost(child)]


def _recomputed(
    forward: Callable[..., Any], precision: Precision, *inputs: Any, **named: Any
) -> Any:
    """Call a layer; where there will be a backward pass, keep its inputs only."""
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)
    call = partial(forward, **named)
    # Of its inputs, as weights may wait elsewhere until they are needed.
    device = next(value.device for value in inputs if isinstance(value, Tensor))

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), forward_pass(precision, device)

    return checkpoint(call, *inputs, use_reentrant=False, context_fn=contexts)
