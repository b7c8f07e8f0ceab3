"""What an object is made of, as plain values: two that differ in nothing have equal ones."""

from __future__ import annotations

import ast
import functools
import hashlib
import types
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import uniapl_cli
from uniapl_cli.config.load import Root
from uniapl_cli.options import Options

ROOT = Path(uniapl_cli.__file__).parent
# What shows progress, and what an Options class says of its fields: no part of what is built.
LEFT_OUT = ("uniapl_cli.runs.console", "threading", "_thread", "weakref")


def fingerprint(thing: Any) -> str:
    """A text that is different for things that are made otherwise."""
    return hashlib.sha256(repr(_Look()(thing)).encode()).hexdigest()


class _Look:
    """One look at a thing; what was seen before is only named, so that circles end."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, Any]] = {}

    def __call__(self, thing: Any) -> Any:
        if isinstance(thing, (type(None), bool, int, float, str, bytes, Path, type)):
            return repr(thing)
        if isinstance(thing, (torch.dtype, torch.device, types.BuiltinFunctionType)):
            return repr(thing)
        if id(thing) in self.seen:
            return f"seen {self.seen[id(thing)][0]}"
        self.seen[id(thing)] = len(self.seen), thing
        return type(thing).__qualname__, self.inside(thing)

    def inside(self, thing: Any) -> Any:
        """The parts of a thing that is no plain value."""
        if isinstance(thing, Root) or type(thing).__module__.startswith(LEFT_OUT):
            return "left out"  # a whole config would be different whatever is made of it
        if isinstance(thing, Options):
            names = [name for name in type(thing).model_fields if is_read(type(thing), name)]
            return [(name, self(getattr(thing, name))) for name in names]
        if isinstance(thing, torch.Tensor):
            return hash_of(thing)
        if isinstance(thing, nn.Module):
            return self.module(thing)
        if isinstance(thing, torch.optim.Optimizer):
            return [[(k, self(v)) for k, v in group.items()] for group in thing.param_groups]
        if hasattr(thing, "apply_chat_template"):
            return loaded_as(thing), thing.chat_template, thing.eos_token
        if isinstance(thing, (Mapping, Sequence, Set, Iterator)):
            parts = thing.items() if isinstance(thing, Mapping) else thing
            return [self(part) for part in parts]
        return self.code(thing) or self.attributes(thing)

    def module(self, model: nn.Module) -> Any:
        layers = [
            (name, repr(layer.scaling))
            for name, layer in model.named_modules()
            if hasattr(layer, "scaling")
        ]
        trained = [(n, p.requires_grad, hash_of(p)) for n, p in model.named_parameters()]
        return loaded_as(model), layers, trained

    def code(self, thing: Any) -> Any:
        """A function with what it has bound."""
        if isinstance(thing, functools.partial):
            return self(thing.func), self(thing.args), self(thing.keywords)
        if isinstance(thing, types.MethodType):
            return self(thing.__func__), self(thing.__self__)
        if hasattr(thing, "__wrapped__"):
            return self(thing.__wrapped__)
        if isinstance(thing, types.FunctionType):
            cells = [cell.cell_contents for cell in thing.__closure__ or ()]
            return thing.__module__, thing.__qualname__, [self(cell) for cell in cells]
        return None

    def attributes(self, thing: Any) -> Any:
        if not type(thing).__module__.startswith("uniapl_cli"):
            return str(thing.__reduce__()) if type(thing).__module__ == "operator" else None
        slots = [slot for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ())]
        names = [*getattr(thing, "__dict__", ()), *slots]
        return [(name, self(getattr(thing, name, None))) for name in names]


def loaded_as(thing: Any) -> str | None:
    """What the test's own loaders noted of a model or a tokenizer."""
    return getattr(thing, "loaded_as", None)


def hash_of(tensor: torch.Tensor) -> tuple[Any, ...]:
    bits = tensor.detach().contiguous().view(torch.uint8) if tensor.dim() else tensor.detach()
    digest = hashlib.sha256(bits.numpy().tobytes()).hexdigest()
    return tensor.dtype, tuple(tensor.shape), digest


@cache
def is_read(options: type[Options], name: str) -> bool:
    """Whether code that knows a class of options reads this field of it.

    An object that merely holds options is not yet different for it.
    """
    kinds = [kind for kind in options.__mro__ if name in getattr(kind, "model_fields", {})]
    spelt = {kind.__name__ for kind in kinds if kind.__module__.startswith("uniapl_cli")}
    knowing = [module for module in _modules() if spelt & module.names]
    sent = any("model_dump" in module.reads for module in knowing)
    return any(name in module.reads for module in knowing) or (
        sent and any(name in module.items for module in _modules())
    )


class _Module(NamedTuple):
    """The names that a module uses, the attributes it reads, and the items, by a text."""

    names: set[str]
    reads: set[str]
    items: set[str]


@cache
def _modules() -> list[_Module]:
    modules = []
    for path in ROOT.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        names |= {node.name for node in nodes if isinstance(node, (ast.ClassDef, ast.alias))}
        reads = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        inside = [node.slice for node in nodes if isinstance(node, ast.Subscript)]
        items = {str(part.value) for part in inside if isinstance(part, ast.Constant)}
        modules.append(_Module(names, reads, items))
    return modules
