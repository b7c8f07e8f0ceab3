"""Weights of which every rank holds a part, by torch's fully_shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)
from torch.distributed.tensor import DTensor


def shard(
    net: nn.Module,
    units: Sequence[nn.Module],
    mesh: DeviceMesh,
    *,
    offload: bool = False,
    exact: bool = False,
) -> None:
    """Leave this rank its part of each weight; all have had equal ones.

    What is called together is brought together: each of `units`, by itself while it computes, and
    what is in none of them, or shared with something outside, while the whole network does. Outside
    of passes all parameters are parts, so optimisers and checkpoints are made afterwards. offload:
    keep the parts in the host's memory. exact: add gradients up in float64, over ranks and, within
    `syncing`, over passes too.
    """
    options: dict[str, Any] = {
        "mesh": mesh,
        "reshard_after_forward": True,
        # Weights are computed with as they are: what autocast takes down is its own affair.
        "mp_policy": MixedPrecisionPolicy(reduce_dtype=torch.float64 if exact else None),
        "offload_policy": _offload(mesh) if offload else OffloadPolicy(),
    }
    apart = units_apart(net, units)
    for unit in apart:
        fully_shard(unit, **options)
    theirs = {part for module in apart for part in module.parameters()}
    fully_shard(net, ignored_params=theirs, **options)
    _set_up(net)


def _offload(mesh: DeviceMesh) -> OffloadPolicy:
    return CPUOffloadPolicy(pin_memory=mesh.device_type != "cpu")


def units_apart(net: nn.Module, units: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the units whose weights nothing outside of them has, as a tied head would."""
    holders: dict[nn.Parameter, set[nn.Module]] = {}
    for module in net.modules():
        for weight in module._parameters.values():
            if weight is not None:
                holders.setdefault(weight, set()).add(module)
    found = []
    for unit in dict.fromkeys(units):
        inside, weights = set(unit.modules()), list(unit.parameters())
        if weights and all(holders[weight] <= inside for weight in weights):
            found.append(unit)
    return found


@torch.no_grad()
def _set_up(net: nn.Module) -> None:
    """Have torch take the network as the root, note what is trained, and make room for wholes.

    It would do so in the first pass, which may be one without the adapter, or of a part alone.
    """
    net.__dict__["forward"] = lambda: None
    try:
        net()
    finally:
        del net.__dict__["forward"]
    for unit in _units(net):
        unit.unshard()
        unit.reshard()


def _units(net: nn.Module) -> list[FSDPModule]:
    return [module for module in net.modules() if isinstance(module, FSDPModule)]


@contextmanager
def whole(net: nn.Module) -> Iterator[None]:
    """Have all of a network here within the block, where ranks may call any part of it unequally.

    All ranks begin and end together, in the same order; a block within another does nothing. What
    is made of the weights is to be read before the end, and changes of them are lost with it. No
    gradients.
    """
    units = _units(net)
    if not any(isinstance(weight, DTensor) for weight in net.parameters()):
        yield
        return
    hooks = list(_hooks(net))
    assert len(hooks) >= 2 * len(units), "torch's own, before and after each unit's call"
    tables = [(table, dict(table)) for table in {id(table): table for table, _ in hooks}.values()]
    try:
        for unit in units:
            unit.unshard()
        for table, key in hooks:
            del table[key]
        yield
    finally:
        for table, before in tables:
            since = {key: hook for key, hook in table.items() if key not in before}
            table.clear()
            table.update(before | since)
        for unit in units:
            unit.reshard()


def _hooks(net: nn.Module) -> Iterator[tuple[dict[int, Any], int]]:
    """Yield where the functions are kept by which torch brings weights together, and parts them.

    It does so at each unit's call, and parts them where a state_dict is asked for.
    """
    for module in net.modules():
        others: tuple[Any, ...] = module._forward_pre_hooks, module._forward_hooks
        for table in (*others, module._state_dict_pre_hooks):
            for key, hook in table.items():
                if hook.__module__.startswith("torch.distributed.fsdp"):
                    yield table, key


def full(tensor: Tensor) -> Tensor:
    """Return all of a tensor of which each rank holds a part; all ranks ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def syncing(net: nn.Module, last: bool) -> None:
    """Add gradients up over ranks in the next backward pass, only if it is the last of an update.

    Until then whole gradients are kept. By itself each backward pass does it.
    """
    if isinstance(net, FSDPModule):
        net.set_requires_gradient_sync(last)
