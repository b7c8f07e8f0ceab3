"""How the losses of a step's tokens are averaged into one number."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import PositiveInt
from torch import Tensor

from uniapl_cli.registry import Registry

# (mask (B, T), *, options) -> each row's divisor (B, 1), and the count () that the rows add to the
# step's denominator. The loss is the sum of losses / divisors, over the sum of the counts.
Reduction = Callable[..., tuple[Tensor, Tensor]]
# supplied: longest, the most tokens that a response may have.
reductions: Registry[Reduction] = Registry("reduction", supplied=("longest",))


@reductions.register("token")
def token(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over all tokens of the step: DAPO's, TRL's default.

    [[1, 2, 3], [4]] gives 2.5: a long response weighs more than a short one.
    """
    return mask.new_ones(mask.shape[0], 1, dtype=mask.sum().dtype), mask.sum()


@reductions.register("sequence")
def sequence(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the responses of their token means: GRPO's first form, and GSPO's.

    [[1, 2, 3], [4]] gives 3.0. Responses without a token that counts are left out.
    """
    lengths = mask.sum(1, keepdim=True)
    return lengths.clamp(min=1), (lengths > 0).sum()


@reductions.register("constant")
def constant(
    mask: Tensor, *, longest: int, length: PositiveInt | None = None
) -> tuple[Tensor, Tensor]:
    """The sum over the tokens, over `length` times the number of responses: Dr.GRPO's.

    [[1, 2, 3], [4]] gives 1.25 with `length` 4, and 5.0, the mean of the responses' sums, with 1.
    Without `length` it is the most tokens that a response may have. Responses without a token that
    counts are counted too, so masking one does not raise the weight of the others.
    """
    divisors, count = token(mask)
    return divisors, count.new_tensor(len(mask) * (longest if length is None else length))


def row_means(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of each row's values that a mask counts, (B, 1); 0 for a row without any."""
    return (values * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
