"""What an objective is, and the registry of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from uniapl_cli.registry import Entry, Registry
from uniapl_cli.tensors import Batch, TokenLoss

# (model outputs, batch, *, options) -> TokenLoss: a pure function, without in-place operations.
Objective = Callable[..., TokenLoss]

# traits: reference=True where the batch must carry the log-probabilities of a reference: of the one
# that the option `reference` names, or of the frozen start. corrects=True: it weighs its losses
# by the batch's correction. whole=True: all tokens of a response have one loss.
objectives: Registry[Callable[..., Any]] = Registry("objective")


def batch_type(objective: Entry[Any]) -> type[Batch]:
    """Return the class of batch that an objective takes, as it annotates its parameter `batch`."""
    kind: type[Batch] = inspect.get_annotations(objective.definition, eval_str=True)["batch"]
    return kind
