"""A correction."""

from torch import Tensor

from uniapl_cli import register_correction


@register_correction("tempered")
def tempered(log_ratio: Tensor, loss_mask: Tensor, *, power: float = 0.5) -> tuple[Tensor, Tensor]:
    """The ratio to a power below 1. log_ratio, loss_mask: (B, T)."""
    return log_ratio.exp(), (power * log_ratio).exp()
