"""A reduction."""

from torch import Tensor

from uniapl_cli import register_reduction


@register_reduction("summed")
def summed(mask: Tensor, *, longest: int) -> tuple[Tensor, Tensor]:
    """The sum over all tokens. mask: (B, T)."""
    return mask.new_ones(mask.shape[0], 1, dtype=mask.sum().dtype), mask.any().long()
