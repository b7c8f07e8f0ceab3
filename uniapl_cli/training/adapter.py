"""LoRA by peft: trained low-rank matrices beside frozen weights, which can be switched off."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, PositiveInt
from safetensors.torch import save_file
from torch import Tensor, nn

from uniapl_cli.errors import ModelError, unknown
from uniapl_cli.options import Options, key

ALL_LINEAR = "all-linear"
NAME = "default"


class Adapter(Options):
    """LoRA: what is trained are low-rank matrices beside the frozen weights. Needs uniapl[lora]."""

    rank: PositiveInt = key(16, "of the update of a layer's weights")
    alpha: PositiveInt = key(32, "the update is multiplied by alpha / rank")
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)] = key(
        ALL_LINEAR, "which layers, the head left out; or names of them: [q_proj, v_proj]"
    )


def adapt(model: Any, options: Adapter, seed: int) -> None:
    """Freeze the model and put an adapter beside its linear layers, which at first adds 0.

    Leaves the global random state as it was. Raises ModelError without peft, or for a target that
    is no linear layer. The head is none: the policy reads its weights directly.
    """
    require_peft()
    from peft import LoraConfig, inject_adapter_in_model

    if not isinstance(options.targets, str):
        check_targets(model, options.targets)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        target_modules=options.targets,
        task_type="CAUSAL_LM",
        base_model_name_or_path=model.name_or_path,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's, where peft draws on any device
        inject_adapter_in_model(config, model, NAME)
    for parameter in model.parameters():
        if parameter.requires_grad:  # updates vanish in the rounding of a bfloat16 base
            parameter.data = parameter.data.float()


def require_peft() -> None:
    """Raise ModelError where peft is not installed."""
    if find_spec("peft") is None:
        raise ModelError("an adapter needs the peft package", "Type: pip install 'uniapl[lora]'")


def check_targets(model: Any, targets: Sequence[str]) -> None:
    """Refuse names of no linear layer, which peft would pass over. Raises ModelError."""
    head = model.get_output_embeddings()
    kinds = ("Linear", "Conv1D")  # the latter is how GPT-2 spells it
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if type(module).__name__ in kinds and module is not head
    }
    for target in targets:
        if target not in linear:
            raise unknown("linear layer", target, linear, ModelError)


def adapted_layers(model: nn.Module) -> dict[str, Any]:
    """Return the layers with an adapter, by name; none for a model without."""
    return {n: m for n, m in model.named_modules() if hasattr(m, "base_layer")}


@contextmanager
def switched_off(model: nn.Module) -> Iterator[None]:
    """Compute as without the adapter."""
    layers = adapted_layers(model).values()
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merged(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a model without an adapter that computes the same.

    Adapted layers are summed and kept in float32: the update may be less than bfloat16 can tell.
    """
    adapter = {name for name, weight in model.named_parameters() if weight.requires_grad}
    state = {
        plain_name(name): value for name, value in model.state_dict().items() if name not in adapter
    }
    for name, layer in adapted_layers(model).items():
        # A fused layer of experts is adapted parameter by parameter.
        weight = f"{plain_name(name)}.{getattr(layer, 'parameter_name', 'weight')}"
        with torch.no_grad():
            state[weight] = (state[weight].float() + layer.get_delta_weight(NAME)).cpu()
    return state


def plain_name(name: str) -> str:
    """Return what a weight or a layer is called in the model without an adapter."""
    return ".".join(part for part in name.split(".") if part != "base_layer")


def save_merged(folder: Path, model: Any) -> None:
    """Write the model with its adapter merged, and in `adapter/` the adapter alone, as peft does.

    The whole model loads without peft, and a next stage can put an adapter of its own beside it.
    """
    from peft import get_peft_model_state_dict

    model.save_pretrained(folder, state_dict=merged(model))
    config = copy.deepcopy(model.config)
    config.dtype = "float32"
    config.save_pretrained(folder)
    weights = get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)
    named = {f"base_model.model.{name}": value.contiguous() for name, value in weights.items()}
    model.peft_config[NAME].save_pretrained(folder / "adapter")
    save_file(named, folder / "adapter" / "adapter_model.safetensors", metadata={"format": "pt"})
