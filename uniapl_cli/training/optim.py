"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Any

import torch
from pydantic import Field, Strict
from torch import nn
from torch.distributed.tensor import DTensor

from uniapl_cli.errors import ModelError
from uniapl_cli.options import Options, key
from uniapl_cli.registry import Registry
from uniapl_cli.training.schedules import ScheduleOptions, schedules

Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Strict(False)]  # a config has lists only


class OptimOptions(Options):
    """The options that every optimiser has."""

    lr: ScheduleOptions = key(
        schedules.options("constant", value=1e-6), "learning rate: a number or {kind: ..., ...}"
    )
    weight_decay: float = key(0.0, "decoupled weight decay", ge=0, le=1000)
    betas: Betas = key((0.9, 0.999), "AdamW's")
    # With 0, a weight whose gradient was always 0 becomes 0 / 0.
    eps: float = key(1e-8, "AdamW's", ge=1e-30, le=1)


# (model, *, options) -> Optimizer
optimizers: Registry[Callable[..., Optimizer]] = Registry("optimizer", base=OptimOptions)


# Entries of a torch optimiser's groups that say by which kernels it computes.
COMPUTED = ("fused", "foreach", "capturable")


class Optimizer:
    """Torch optimisers that step together, each at its own multiple of the learning rate.

    of: whose moments each part has; "" where an update has none of its own.
    """

    def __init__(
        self, parts: list[tuple[torch.optim.Optimizer, float]], of: Sequence[str] | None = None
    ) -> None:
        self.parts, self.of = parts, [""] * len(parts) if of is None else list(of)

    def step(self, lr: float, moments: str = "") -> None:
        """Update the parameters at this learning rate, and clear their gradients.

        moments: the parts that do so, by whose moments theirs are.
        """
        own = zip(self.parts, self.of, strict=True)
        for part, ratio in (part for part, of in own if of == moments):
            for group in part.param_groups:
                group["lr"] = lr * ratio
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of every part."""
        return {str(index): part.state_dict() for index, (part, _) in enumerate(self.parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of every part; how it is computed is decided here, not there."""
        for index, (part, _) in enumerate(self.parts):
            saved = state[str(index)]
            for group, own in zip(saved["param_groups"], part.param_groups, strict=True):
                group |= {name: own[name] for name in COMPUTED if name in own}
            part.load_state_dict(saved)


def with_own_moments(shared: Optimizer, own: Mapping[str, Optimizer]) -> Optimizer:
    """Return one optimiser of several over the same weights, whose moments have names."""
    whole = {"": shared, **own}
    parts = [part for one in whole.values() for part in one.parts]
    return Optimizer(parts, [name for name, one in whole.items() for _ in one.parts])


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trained weights by name. Raises ModelError for any of 16 bits."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for name, weight in weights.items():
        if weight.itemsize < 4:
            dtype = str(weight.dtype).removeprefix("torch.")
            raise ModelError(
                f"cannot train {name} in {dtype}, which rounds small updates away",
                "Load the weights as float32; precision=bfloat16 computes in bfloat16 over them",
                got=dtype,
                allowed=["float32"],
            )
    return weights


def is_installed(options: Options) -> bool:
    """Whether the package that an optimiser needs, if it needs one, is installed."""
    package = optimizers.entry(options).traits.get("package")
    return package is None or find_spec(package) is not None


def require_package(options: Options) -> None:
    """Raise ModelError where the package that an optimiser needs is not installed."""
    entry = optimizers.entry(options)
    if not is_installed(options):
        problem = f"{entry.name} needs the {entry.traits['package']} package"
        raise ModelError(problem, f"Type: pip install 'uniapl[{entry.traits['extra']}]'")


# Traits: `state_bytes` of the state of a trained weight, at the most; the `package` that it needs,
# and the `extra` of ours that has it.
@optimizers.register("adamw", state_bytes=8)
def adamw(model: nn.Module, *, betas: Betas, eps: float, weight_decay: float) -> Optimizer:
    """AdamW for all trained weights."""
    parameters = list(trained(model).values())
    return Optimizer([(_adamw(parameters, betas, eps, weight_decay), 1.0)])


@optimizers.register("adamw8bit", state_bytes=2, package="bitsandbytes", extra="bnb")
def adamw8bit(model: nn.Module, *, betas: Betas, eps: float, weight_decay: float) -> Optimizer:
    """AdamW with 8 bits a number instead of 32, a quarter of its memory. Needs uniapl[bnb].

    Weights of fewer than 4,096 numbers, such as norms, keep 32.
    """
    parameters = list(trained(model).values())
    if any(isinstance(parameter, DTensor) for parameter in parameters):
        raise ModelError(
            "adamw8bit cannot update weights of which each process holds a part",
            "Set optim.kind=adamw, or parallel.shard=none",
            got="adamw8bit",
            allowed=["adamw", "muon"],
        )
    require_package(optimizers.options("adamw8bit"))
    from bitsandbytes.optim import AdamW8bit

    part = AdamW8bit(parameters, betas=betas, eps=eps, weight_decay=weight_decay)
    return Optimizer([(part, 1.0)])


@optimizers.register("muon", state_bytes=8)
def muon(
    model: nn.Module,
    *,
    betas: Betas,
    eps: float,
    weight_decay: float,
    muon_lr_ratio: Annotated[float, Field(gt=0, le=1000)] = 5.0,
) -> Optimizer:
    """Muon for the hidden matrices, at `muon_lr_ratio` times the rate; AdamW for the rest."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in trained(model).items():
        hidden = parameter.dim() == 2 and ".layers." in f".{name}"
        (matrices if hidden else others).append(parameter)
    parts: list[tuple[torch.optim.Optimizer, float]] = []
    if matrices:
        parts.append((torch.optim.Muon(matrices, weight_decay=weight_decay), muon_lr_ratio))
    if others:  # an adapter has none
        parts.append((_adamw(others, betas, eps, weight_decay), 1.0))
    return Optimizer(parts)


def _adamw(
    parameters: list[nn.Parameter], betas: tuple[float, float], eps: float, weight_decay: float
) -> torch.optim.Optimizer:
    # Fused is one pass over the memory instead of one for each operation: a fifth of the time on a
    # CPU too.
    return torch.optim.AdamW(
        parameters, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )
