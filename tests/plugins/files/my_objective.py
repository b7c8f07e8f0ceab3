"""An objective: imitation that leaves alone what the policy knows already."""

from pydantic import PositiveFloat
from torch import Tensor

from uniapl_cli import TokenBatch, TokenLoss, register_objective


@register_objective("focal")
def focal(logps: Tensor, batch: TokenBatch, *, gamma: PositiveFloat = 2.0) -> TokenLoss:
    """-(1 - p)^gamma log p, the factor held constant. logps: (B, T)."""
    share = (1 - logps.detach().exp()) ** gamma
    return TokenLoss(-share * logps, {"share": share})
