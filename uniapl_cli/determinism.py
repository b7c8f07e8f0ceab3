"""The same numbers from the same command on the same GPU."""

from __future__ import annotations

import os

import torch
from torch import Tensor

# Room for cuBLAS that does not depend on which stream came first; torch refuses to go without.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def repeatable(wanted: bool) -> None:
    """Have torch take only kernels that give the same bits every time, or no longer.

    A CPU's are so anyway. To be called before anything is computed on CUDA.
    """
    if wanted:
        os.environ.setdefault(*WORKSPACE)
        # Tensors are written before they are read; filling them first would only take time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(wanted)


def running_sums(rows: Tensor) -> Tensor:
    """Return the cumulative sums of each row (N, V).

    torch refuses `cumsum` on CUDA where kernels must be repeatable, for the sake of its scan of a
    single row; of several, each is summed in a fixed order (pytorch#75240).
    """
    strict = torch.are_deterministic_algorithms_enabled()
    if not (strict and rows.is_cuda):
        return rows.cumsum(-1)
    try:
        torch.use_deterministic_algorithms(False)
        return rows.expand(max(2, len(rows)), -1).cumsum(-1)[: len(rows)]
    finally:
        torch.use_deterministic_algorithms(True)
