"""No engine: the machine's matrix rate, of large products, on one thread.

A dtype has two: by plain `torch.matmul`, and with the weights packed once for oneDNN. The larger of
them is what an engine could reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SIZE = 2048
SECONDS = 1.0  # of each measurement


def rate(product: Callable[[], Tensor]) -> float:
    """Return the GFLOP/s of a product of two (SIZE, SIZE) matrices: the best of a second."""
    best, ends = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        began = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - began)
    return 2 * SIZE**3 / best / 1e9


class Matrix:
    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        dtype = getattr(torch, job["dtype"])
        self.left, self.right = torch.randn(2, SIZE, SIZE).to(dtype)
        # An operator of torch for its own compiler, found here by its name: it may go.
        pack = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
        self.packed = pack(self.right, SIZE) if pack else None
        self()

    @torch.inference_mode()
    def __call__(self) -> dict[str, Any]:
        rates = {"plain": rate(lambda: self.left @ self.right)}
        if self.packed is not None:
            product = torch.ops.mkldnn._linear_pointwise
            rates["packed"] = rate(lambda: product(self.left, self.packed, None, "none", [], ""))
        return {"gflops": rates}


def load(job: dict[str, Any]) -> Matrix:
    return Matrix(job)
