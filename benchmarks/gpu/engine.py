"""The engine under watch: its graphs, its cache, and whether a replay is what a pass computes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.models import random_prompts, tokenizer
from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.graph import Graph
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.packing import PackedWeights
from uniapl_cli.generation.rows import Rows
from uniapl_cli.generation.samples import Sample
from uniapl_cli.precision import Precision, arithmetic, resolve
from uniapl_cli.types import Completion, Sampling

SAMPLES = 8  # responses a prompt


class Watch:
    """What the engine did: graphs recorded, their seconds, the cache's dtype and size."""

    def __init__(self, graphs: bool) -> None:
        self.recorded, self.refused, self.seconds = 0, 0, 0.0
        self.arranged, self.most, self.bytes_a_token, self.keys = 0, 0, 0, ""
        watch, graph = self, Graph.record

        def record(self: Graph, compute: Any) -> None:
            began = time.perf_counter()
            watch.refused += 1
            if not graphs:
                raise RuntimeError("as asked")
            graph(self, compute)
            watch.refused -= 1
            watch.recorded += 1
            watch.seconds += time.perf_counter() - began

        self.record = record

    def arrange(self, rows: Rows, *sizes: Any) -> None:
        """Arrange rows, and note the sizes."""
        arrange(rows, *sizes)
        cache = rows.cache
        self.arranged += 1
        self.most = max(self.most, cache.rows * cache.capacity)
        self.bytes_a_token = cache.bytes_a_token
        self.keys = str(cache.model_cache.layers[0].slabs[0].dtype)

    def figures(self) -> dict[str, Any]:
        """Return what a line says of it."""
        return {
            "keys": self.keys,
            "arranged": self.arranged,
            "graphs_recorded": self.recorded,
            "graphs_refused": self.refused,
            "recording_seconds": self.seconds,
            "cache_gib": self.most * self.bytes_a_token / 2**30,
        }


arrange = Rows.arrange


@contextmanager
def watched(graphs: bool = True) -> Iterator[Watch]:
    """Note what the engine does while the block runs; without `graphs`, it records none."""
    watch = Watch(graphs)
    spy = mock.patch.object(Rows, "arrange", lambda rows, *sizes: watch.arrange(rows, *sizes))
    with spy, mock.patch.object(Graph, "record", watch.record):
        yield watch


def grouped(bench: Bench, rows: int, length: int) -> list[Request]:
    """Return requests for so many responses to random prompts."""
    prompts = random_prompts(bench, max(1, rows // SAMPLES), length)
    return [
        Request(ids, tuple(range(SAMPLES * i, SAMPLES * (i + 1)))) for i, ids in enumerate(prompts)
    ]


def answers(
    model: Any, precision: Precision, requests: Sequence[Request], new: int, budget: int | None
) -> list[Completion]:
    """Return the product's responses, none of which stops before `new` tokens."""
    generator = LocalGenerator(model, Chat(tokenizer()), precision=precision, batch_tokens=budget)
    generator.stop_ids = {-1}
    answers = generator.generate(requests, Sampling(max_new_tokens=new))
    return [c for row in in_order(answers, len(requests)) for c in row]


def compared(
    bench: Bench, model: Any, precision: Precision, rows: int, length: int, new: int
) -> None:
    """Log whether the same seeds give the same responses with graphs and without."""
    requests, found, seconds = grouped(bench, rows, length), {}, {}
    for graphs in (True, False):
        with watched(graphs) as watch:
            bench.sync()
            began = time.perf_counter()
            found[graphs] = answers(model, precision, requests, new, None)
            seconds[graphs] = time.perf_counter() - began
        if graphs:
            recorded = watch.recorded
    pairs = list(zip(found[True], found[False], strict=True))
    gaps, equal = [0.0], 0
    for a, b in pairs:
        equal += a.token_ids == b.token_ids
        for one, other, x, y in zip(a.token_ids, b.token_ids, a.logps, b.logps, strict=True):
            if one != other:  # from here on the texts are different ones
                break
            gaps.append(abs(x - y))
    bench.log(
        "with graphs and without",
        precision=precision,
        rows=rows,
        graphs_recorded=recorded,
        same_responses=equal / len(pairs),
        largest_difference_of_logps=max(gaps),
        tokens_per_second=rows * new / seconds[True],
        tokens_per_second_without=rows * new / seconds[False],
    )


def replay_and_pass(
    bench: Bench, model: Any, precision: Precision, count: int, length: int
) -> None:
    """Log how far a replayed graph's logits are from a pass's, and the milliseconds of each."""
    packed, times = PackedWeights(model, resolve(precision, bench.device)), bench.pick(20, 3)
    with torch.inference_mode(), arithmetic(precision, bench.device), packed.used():
        dtype = resolve(precision, bench.device)
        rows = Rows(model, Sampling(), [-1], width=4 * times + 16, dtype=dtype)
        prompts = random_prompts(bench, count, length)
        samples = [Sample(n, 0, ids, n, 4 * times + 8) for n, ids in enumerate(prompts)]
        rows.arrange([], count, length, length + 4 * times + 16)
        rows.admit(range(count), samples)
        rows.draw()
        graph = rows.graph
        with watched() as watch:
            rows.forward()
        gaps = []
        for _ in range(3):  # the same column by both, then the next
            rows.draw()
            rows.graph = graph
            rows.forward()
            replayed = rows.logits.clone()
            rows.cache.column -= 1
            rows.graph = None
            rows.forward()
            gaps.append(float((rows.logits - replayed).abs().max()))
        passed = bench.clock(rows.forward, times=times, warm=2)
        rows.graph = graph
        again = bench.clock(rows.forward, times=times, warm=2)
        drawn = bench.clock(rows.draw, times=times, warm=2)
    bench.log(
        "replay and pass",
        precision=precision,
        rows=count,
        cached=length,
        graphs_recorded=watch.recorded,
        recording_seconds=watch.seconds,
        largest_difference_of_logits=max(gaps),
        pass_ms=1e3 * passed,
        replay_ms=1e3 * again,
        draw_ms=1e3 * drawn,
    )
