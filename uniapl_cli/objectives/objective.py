"""What an objective is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uniapl_cli.registry import Registry
from uniapl_cli.tensors import TokenLoss

# (model outputs, batch, *, options) -> TokenLoss; no in-place operation, no config, no logging.
Objective = Callable[..., TokenLoss]

# facts: reference=True where the batch must carry ref_logps.
objectives: Registry[Callable[..., Any]] = Registry("objective")
