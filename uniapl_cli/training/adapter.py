"""LoRA adapters by peft: to add, disable, merge and save them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.func import functional_call

from uniapl_cli.errors import ModelError, unknown
from uniapl_cli.options import Count, Options, key
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.training.weights import gathered

ALL_LINEAR = "all-linear"
NAME = "default"


class Adapter(Options):
    """LoRA: train low-rank matrices added to the frozen weights. Needs uniapl[lora]."""

    rank: int = key(16, "of the update of a layer's weights", ge=1, le=8192)
    alpha: Count = key(32, "the update is multiplied by alpha / rank")
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)] = key(
        ALL_LINEAR, "which layers, the head left out; or names of them: [q_proj, v_proj]"
    )


def adapt(model: Any, options: Adapter, seed: int) -> None:
    """Freeze the model and add an adapter, at first 0, to its linear layers.

    Leaves the global random state as it was. Raises ModelError without peft, or for a target that
    is no linear layer. The head cannot be a target: the policy reads its weights directly.
    """
    require_peft()
    from peft import LoraConfig, inject_adapter_in_model

    if not isinstance(options.targets, str):
        check_targets(model, options.targets)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        target_modules=options.targets,
        exclude_modules=beside_text(model) or None,
        task_type="CAUSAL_LM",
        base_model_name_or_path=model.name_or_path,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's, where peft draws on any device
        inject_adapter_in_model(config, model, NAME)
    for parameter in model.parameters():
        if parameter.requires_grad:  # bfloat16 would round small updates away
            parameter.data = parameter.data.float()


def beside_text(model: Any) -> list[str]:
    """Return the linear layers that text does not go through: those of towers for images."""
    text = {id(module) for module in model.get_decoder().modules()}
    return [name for name, module in linear_layers(model).items() if id(module) not in text]


def linear_layers(model: Any) -> dict[str, nn.Module]:
    """Return the layers that can be adapted, by name; the head is none of them."""
    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        # The latter is GPT-2's.
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
        if module is not head
    }


def require_peft() -> None:
    """Raise ModelError where peft is not installed."""
    if find_spec("peft") is None:
        raise ModelError("an adapter needs the peft package", "Type: pip install 'uniapl[lora]'")


def check_targets(model: Any, targets: Sequence[str]) -> None:
    """Refuse a target that is no linear layer, which peft would ignore. Raises ModelError."""
    linear = {name.rpartition(".")[2] for name in linear_layers(model)}
    for target in targets:
        if target not in linear:
            raise unknown("linear layer", target, linear, ModelError)


def adapted_layers(model: nn.Module) -> dict[str, Any]:
    """Return the layers that have an adapter, by name."""
    return {n: m for n, m in model.named_modules() if hasattr(m, "base_layer")}


@contextmanager
def adapter_disabled(model: nn.Module) -> Iterator[None]:
    """Disable the adapter within the block."""
    layers = adapted_layers(model).values()
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


class Update(nn.Module):
    """What an adapter adds to a layer's weights, as a module: nothing in, the addition out."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        """Return the addition, of the weights' shape."""
        update: Tensor = self.layer.get_delta_weight(NAME)
        return update


@torch.no_grad()
def merged(model: nn.Module, ranks: Ranks = ALONE) -> dict[str, Tensor]:
    """Return the weights with the adapter added to them, named as in the model without one.

    Adapted layers are float32: bfloat16 would round small updates away. {} but on the first rank.
    """
    adapter = adapter_weights(model, ranks)
    frozen = {
        plain_name(name): value
        for name, value in model.state_dict(keep_vars=True).items()
        if not value.requires_grad
    }
    state = gathered(frozen, ranks)
    for name, layer in adapted_layers(model).items() if ranks.first else ():
        # peft adapts each parameter of a fused layer of experts by itself.
        weight = f"{plain_name(name)}.{getattr(layer, 'parameter_name', 'weight')}"
        inside = {
            f"layer.{other.removeprefix(f'{name}.')}": value
            for other, value in adapter.items()
            if other.startswith(f"{name}.")
        }
        update = functional_call(Update(layer), inside, ())
        state[weight] = (state[weight].float() + update).cpu()
    return state


def adapter_weights(model: nn.Module, ranks: Ranks = ALONE) -> dict[str, Tensor]:
    """Return the adapter's weights by name, on the first rank; {} on others, or without one."""
    if not adapted_layers(model):
        return {}
    own = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    return gathered(own, ranks)


def plain_name(name: str) -> str:
    """Return the name of a weight or layer in the model without an adapter."""
    return ".".join(part for part in name.split(".") if part != "base_layer")


def save_adapter(folder: Path, model: Any, weights: Mapping[str, Tensor]) -> None:
    """Write the adapter alone, as peft does. weights: `adapter_weights`.

    Beside the merged model, which loads without peft and can get an adapter of its own.
    """
    from peft import get_peft_model_state_dict

    plain = get_peft_model_state_dict(model, dict(weights), NAME, save_embedding_layers=False)
    named = {f"base_model.model.{name}": value.contiguous() for name, value in plain.items()}
    model.peft_config[NAME].save_pretrained(folder)
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
