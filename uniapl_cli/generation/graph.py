"""A computation that CUDA repeats as one graph: a token of a small model is mostly launches."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from uniapl_cli.reasons import brief

log = logging.getLogger("uniapl")


class Graph:
    """A computation without arguments, recorded at the first call and repeated at each later one.

    It must read and write the same memory every time, and may be computed twice over at the first
    call. Where it cannot be recorded, as it waits for the device, it is computed every time.
    """

    def __init__(self, compute: Callable[[], Tensor]) -> None:
        self._compute = compute
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output: Tensor | None = None
        self._recordable = True

    def __call__(self) -> Tensor:
        """Compute; a recorded result is in the same memory every time."""
        if self._graph is None and self._recordable:
            try:
                self._record()
            except RuntimeError as error:
                log.warning("sampling goes on without a CUDA graph: %s", brief(error))
                self._graph, self._recordable = None, False
        if self._graph is None or self._output is None:
            return self._compute()
        self._graph.replay()
        return self._output

    def _record(self) -> None:
        # Weights that autocast has cast for another computation may be freed before this one ends.
        torch.clear_autocast_cache()
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # libraries set themselves up, which cannot be recorded
                self._compute()
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._output = self._compute()
        finally:
            torch.set_autocast_cache_enabled(cached)
