"""A graph's fallback, on a stand-in for CUDA: what cannot be recorded is computed every time."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from uniapl_cli.generation import graph as module
from uniapl_cli.generation.graph import Graph


class Stream:
    def wait_stream(self, other):
        pass


@pytest.fixture
def cuda(monkeypatch):
    """A stand-in for torch.cuda that notes the stream and how waiting is taken."""
    now = SimpleNamespace(stream="main", waiting=0, recorded=0)

    @contextmanager
    def record(graph, stream, capture_error_mode):
        assert now.waiting == 0
        now.stream = "left behind"  # as a recording's end does that raises
        yield
        now.recorded += 1

    @contextmanager
    def stream(other):
        before, now.stream = now.stream, other
        try:
            yield
        finally:
            now.stream = before

    replayed = SimpleNamespace(replay=lambda: None)
    for name, value in {
        "Stream": Stream,
        "current_device": lambda: 0,
        "current_stream": Stream,
        "stream": stream,
        "graph": record,
        "CUDAGraph": lambda: replayed,
        "get_sync_debug_mode": lambda: now.waiting,
        "set_sync_debug_mode": lambda mode: setattr(now, "waiting", mode),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    module._side_stream.cache_clear()
    module._warn.cache_clear()
    yield now
    module._side_stream.cache_clear()
    module._warn.cache_clear()


def test_it_is_recorded_once_until_it_is_forgotten(cuda):
    calls, graph = [], Graph()

    def compute():
        calls.append(cuda.waiting)
        return torch.ones(1)

    outputs = [graph(compute) for _ in range(3)]
    assert cuda.recorded == 1 and calls == ["error", 0]
    assert outputs[0] is outputs[2]
    graph.forget()
    graph(compute)
    assert cuda.recorded == 2 and cuda.stream == "main"


@pytest.mark.parametrize("fails_at", ["error", 0])
def test_what_cannot_be_recorded_is_computed(cuda, fails_at, caplog):
    calls = []

    def compute():
        calls.append(cuda.waiting)
        if cuda.stream != "main" and cuda.waiting == fails_at:
            raise RuntimeError("it waits")
        return torch.ones(1)

    for _ in range(2):
        graph = Graph()
        for _ in range(3):
            assert graph(compute) == 1
        graph.forget()
        assert graph(compute) == 1
    assert cuda.recorded == 0 and (cuda.stream, cuda.waiting) == ("main", 0)
    tries = 1 if fails_at == "error" else 2
    assert len(calls) == 2 * (tries + 4)
    assert len(caplog.records) == 1
    assert torch.is_autocast_cache_enabled()
