"""A computation that CUDA repeats as one graph: a token of a small model is mostly launches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from uniapl_cli.reasons import brief

log = logging.getLogger("uniapl")


class Graph:
    """Records a computation without arguments at the first call, and repeats it at later ones.

    Until `forget`, it must read and write the same memory every time, and numbers of Python's stay
    as they were at the first call, which computes twice over. What cannot be recorded, as it waits
    for the device, is computed every time. It does not keep the computation, whose owner may own
    the graph: in a circle they would hold the device's memory until Python looks for circles.
    """

    def __init__(self) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output: Tensor | None = None
        self._recordable = True

    def __call__(self, compute: Callable[[], Tensor]) -> Tensor:
        """Compute; a recorded result is in the same memory every time."""
        if self._graph is None and self._recordable:
            try:
                self.record(compute)
            except RuntimeError as error:
                _warn(brief(error))
                self.forget()
                self._recordable = False
        if self._graph is None or self._output is None:
            return compute()
        self._graph.replay()
        return self._output

    def forget(self) -> None:
        """Give up what was recorded, as the memory is going to be another."""
        self._graph = self._output = None

    def record(self, compute: Callable[[], Tensor]) -> None:
        """Compute once and record. Raises RuntimeError where that cannot be done."""
        # Weights that autocast has cast for another computation may be freed before this one ends.
        torch.clear_autocast_cache()
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        side = _side_stream(torch.cuda.current_device())
        side.wait_stream(torch.cuda.current_stream())
        try:
            # The stream is set here, too: a recording that fails leaves it behind.
            with torch.cuda.stream(side):
                with _refusing_to_wait():  # libraries set themselves up, which is not recorded
                    compute()
                graph = torch.cuda.CUDAGraph()
                # Other threads, such as NCCL's, may ask the device whatever they want meanwhile.
                with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                    self._output = compute()
            self._graph = graph
        finally:
            torch.cuda.current_stream().wait_stream(side)
            torch.set_autocast_cache_enabled(cached)


@cache
def _side_stream(_device: int) -> torch.cuda.Stream:
    """Return a device's stream to record on; matrix products keep memory for each that there is."""
    return torch.cuda.Stream()


@contextmanager
def _refusing_to_wait() -> Iterator[None]:
    """Raise RuntimeError for what waits for the device.

    While it is recorded, that would leave torch 2.11's allocator in the middle of a recording.
    """
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@cache
def _warn(why: str) -> None:
    """Say so once, not at every step of a training."""
    log.warning("sampling goes on without a CUDA graph: %s", why)
