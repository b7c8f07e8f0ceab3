"""A server that fails at 30% of the requests, in all known ways, loses and doubles nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from echo import new_example
from fake_server import Reply, echo
from faults import FLAWED, MEANT, PASSING

from uniapl_cli.files import read_rows
from uniapl_cli.pipelines.teach import teach
from uniapl_cli.types import Sampling

PROMPTS, SAMPLES = 100, 3
FAULTS = {**PASSING, **MEANT, **FLAWED, "slow": None}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_row_is_there_once(serve, teacher, tmp_path, seed):
    rng, met = random.Random(seed), Counter()

    def script(body, number):
        reply = echo(body, number)
        if rng.random() >= 0.3:
            return reply
        name = rng.choice(list(FAULTS))
        met[name] += 1
        fault = FAULTS[name]
        return replace(reply, delay=1.0) if fault is None else fault

    url, examples = serve(script).url, [new_example(f"{n}", prompt=f"Q{n}") for n in range(PROMPTS)]

    def run(url, out, lives=10**9):
        options = {"samples": SAMPLES, "seed": 7, "model": "m", "provenance": {}}
        asks = teacher(url, concurrency=8, timeout=0.4, retries=20).teacher
        dies = Dying(asks, lives)
        path = tmp_path / out
        return teach(examples, lambda: dies, Sampling(), path, max_failures=10**6, **options)

    interrupted, failed = 0, Counter()
    while True:
        try:
            counts = run(url, "out.jsonl", lives=60)
        except KeyboardInterrupt:
            interrupted += 1
            continue
        failed.update(counts["failed by kind"])
        if not counts["failed"]:
            break
    rows = [row.values for row in read_rows(tmp_path / "out.jsonl")]
    assert Counter((row["key"], row["sample"]) for row in rows) == Counter(
        (f"{n}", sample) for n in range(PROMPTS) for sample in range(SAMPLES)
    )
    run(serve().url, "whole.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert interrupted >= 3 and set(failed) <= {*MEANT, *FLAWED}
    print(interrupted, "interruptions,", met.total(), "faults:", dict(met))
    assert len(met) >= 28


class Dying:
    """A teacher whose run is interrupted after so many results."""

    def __init__(self, teacher, lives):
        self.teacher, self.lives = teacher, lives

    def answer(self, questions, sampling, progress=None):
        results = self.teacher.answer(questions, sampling)
        try:
            for number, result in enumerate(results):
                if number == self.lives:
                    raise KeyboardInterrupt
                yield result
        finally:
            results.close()


def test_the_faults_are_as_many_as_are_known():
    assert len(FAULTS) >= 35
    assert all(isinstance(fault, Reply | None) for fault in FAULTS.values())
