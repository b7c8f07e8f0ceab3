"""Section polar: scores by a random model of POLAR-1.8B's shape."""

from __future__ import annotations

import functools
import statistics

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.models import random_polar
from uniapl_cli.discriminators.polar.polar import Polar, PolarDiscriminator, PolarModel
from uniapl_cli.types import Comparison

WORDS = ["the", "harbour", "is", "old", "and", "gulls", "are", "calm", "boats", "well"]
CANDIDATES = 8


def comparisons(bench: Bench) -> list[Comparison]:
    """Return 16 prompts with 8 candidates each, all of 200 words."""
    rng = torch.Generator().manual_seed(0)
    prompts, size = bench.pick((16, 200), (4, 12))

    def text() -> str:
        picked = torch.randint(len(WORDS), (size,), generator=rng).tolist()
        return " ".join(WORDS[index] for index in picked)

    pairs = [(text(), text()) for _ in range(prompts)]
    return [
        Comparison(prompt, reference, text(), str(number))
        for number, (prompt, reference) in enumerate(pairs)
        for _ in range(CANDIDATES)
    ]


def polar(bench: Bench) -> None:
    """Rows and tokens a second, prefixes shared or not, at two sizes of batches."""
    rows = comparisons(bench)
    model = PolarModel(*random_polar(bench))
    tokens = sum(len(model.encode(row)) for row in rows)
    scores: dict[str, list[float]] = {}
    for share, budget in ((True, 2**14), (False, 2**14), (True, 2**17), (False, 2**17)):
        with bench.part("score"):
            options = Polar(path="random", batch_tokens=budget, share_prefixes=share, cache_mb=0)
            discriminator = PolarDiscriminator(model, options)
            bench.peak_gib()
            scores[f"{share}, {budget}"] = discriminator.score(rows)
            seconds = bench.clock(functools.partial(discriminator.score, rows), times=2)
            bench.log(
                "score",
                share_prefixes=share,
                batch_tokens=budget,
                rows=len(rows),
                tokens=tokens,
                seconds=seconds,
                rows_per_second=len(rows) / seconds,
                tokens_per_second=tokens / seconds,
                peak_gib=bench.peak_gib(),
            )
    name, first = next(iter(scores.items()))
    gaps = {
        other: max(abs(a - b) for a, b in zip(first, values, strict=True))
        for other, values in scores.items()
    }
    bench.log(f"largest difference to {name}", spread=statistics.pstdev(first), **gaps)
