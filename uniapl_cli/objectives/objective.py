"""What an objective is, and the registry of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from uniapl_cli.registry import Entry, Registry
from uniapl_cli.tensors import Batch, TokenLoss

# (model outputs, batch, *, options) -> TokenLoss; no in-place operation, no config, no logging.
Objective = Callable[..., TokenLoss]

# traits: reference=True where the batch must carry ref_logps.
objectives: Registry[Callable[..., Any]] = Registry("objective")


def batch_type(objective: Entry[Any]) -> type[Batch]:
    """Return the kind of batch that an objective takes, as its parameter `batch` is annotated."""
    kind: type[Batch] = inspect.get_annotations(objective.definition, eval_str=True)["batch"]
    return kind
