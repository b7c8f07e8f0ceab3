"""Rows per second and peak memory of filter-gt on generated rows in IF-multi's layout.

    python benchmarks/filter_rows.py 5000 50000 > benchmarks/results/filter_rows.json

Each size runs as a process of its own, as a user would start it; peak memory is of its largest
process, which is what grows if rows are kept.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["the", "a", "river", "stone", "wind", "over", "under", "light", "quick", "slow"]
WORDS += ["green", "old", "new", "and", "but", "while"]
KINDS = [
    ("punctuation:no_comma", lambda rng: None),
    ("keywords:existence", lambda rng: {"keywords": [rng.choice(WORDS)]}),
    ("length_constraints:number_words", lambda rng: {"num_words": 40, "relation": "at least"}),
    ("change_case:english_lowercase", lambda rng: None),
    ("paragraphs:paragraphs", lambda rng: {}),
    ("last_word:last_word_answer", lambda rng: {"last_word": rng.choice(WORDS)}),
    ("keywords:palindrome", lambda rng: None),
]


def row(number: int) -> dict[str, object]:
    rng = random.Random(number)
    chosen = rng.sample(KINDS, rng.randint(1, 5))
    truth = {"instruction_id": [i for i, _ in chosen], "kwargs": [k(rng) for _, k in chosen]}
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(20, 200)))
    return {
        "key": f"row-{number}",
        "messages": [{"role": "user", "content": f"Write about {text[:80]} ({number})."}],
        "ground_truth": repr([truth]),
        "dataset": "ifeval",
        "constraint_type": "multi",
        "response": text.capitalize() + rng.choice([".", ", so.", "\n***\nYes."]),
    }


def measure(rows: int, folder: Path, workers: int) -> dict[str, object]:
    source = folder / f"{rows}.jsonl"
    with source.open("w") as file:
        for number in range(rows):
            file.write(json.dumps(row(number)) + "\n")
    command = [sys.executable, "-m", "uniapl_cli", "filter-gt", "--json"]
    command += [f"filter.responses={source}", f"filter.out={folder / 'kept.jsonl'}"]
    command += [f"filter.workers={workers}", f"filter.rejected={folder / 'rejected.jsonl'}"]
    began = time.perf_counter()
    code = (
        "import resource, subprocess, sys; "
        "r = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True); "
        "sys.stdout.buffer.write(r.stdout); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    seconds = time.perf_counter() - began
    result = json.loads(done.stdout)
    assert result["kept"] + result["rejected"] == rows
    return {
        "rows": rows,
        "workers": workers,
        "seconds": round(seconds, 2),
        "rows/s": round(rows / seconds),
        "peak MiB": round(int(done.stderr.split()[-1]) / 1024, 1),
        "kept": result["kept"],
    }


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [5000, 50000]
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(n, Path(folder), os.cpu_count() or 1) for n in sizes]
    peaks = [float(str(run["peak MiB"])) for run in runs]
    result = {"runs": runs, "peak ratio": round(max(peaks) / min(peaks), 3)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
