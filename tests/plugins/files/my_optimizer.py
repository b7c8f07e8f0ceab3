"""An optimiser."""

import torch
from pydantic import NonNegativeFloat
from torch import nn

from uniapl_cli import Optimizer, register_optimizer


@register_optimizer("sgd")
def sgd(model: nn.Module, *, momentum: NonNegativeFloat = 0.0) -> Optimizer:
    """Plain gradient descent."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return Optimizer([(torch.optim.SGD(trained, momentum=momentum), 1.0)])
