"""Tokens a second of sampling a real model: this project, transformers and vLLM, in turn.

    make vllm-env
    python -m benchmarks.generation work/smollm2 --out benchmarks/results/generation.json
    python -m benchmarks.generation work/smollm2 --only ours,vllm --heats bfloat16 --rounds 5

The model is a folder, such as the one that benchmarks/gpu/fetch_smollm2.py makes. The job is
requests.jsonl: 64 prompts, each with the length that its response is forced to have, all of them
handed over at once; temperature 1, log-probabilities of the drawn tokens included. `matrix` is no
engine but the machine's matrix rate, plain and with packed weights; `of_matrix_rate` is a share of
the larger one, of GFLOP that count the matrix products of prompts and responses, attention
included. vLLM's scheduler is a process beside its worker, so that its CPU seconds are more than its
worker's: `tokens_per_second` is by the wall clock and wants an idle machine. The value is the
number of the new tokens.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.engines.job import Job, read_job
from benchmarks.race import Entry, Heat, Line, arguments, rounded, run

MATRIX, HALF_HEAD = "matrix", "ours_half_head"


def entries(vllm: Path, slow_rounds: int, *, half: bool) -> dict[str, Entry]:
    """Return the contestants. vllm: its environment; half: whether a head in bfloat16 is one."""
    python = str(vllm.absolute() / "bin" / "python")
    found = {"ours": Entry("ours", "head in float32")}
    if half:
        found[HALF_HEAD] = Entry("ours", "head in bfloat16", {"half_head": True})
    return found | {
        "vllm": Entry("vllm", "class LLM, no prefix cache, logprobs=0", {}, python),
        "generate": Entry("generate", "16 rows a batch", {}, rounds=slow_rounds),
        "generate_by_length": Entry(
            "generate",
            "16 rows, by their lengths",
            {"oracle": True},
            rounds=slow_rounds,
        ),
        "continuous": Entry("continuous", "generate_batch, 2,048 tokens", {}, rounds=slow_rounds),
        MATRIX: Entry("matrix", "2,048 wide"),
    }


def speeds(job: Job, lines: list[Line]) -> dict[str, Any]:
    """Return each contestant's speeds from its medians, and the matrix rates."""
    whole = [line for line in lines if "error" not in line]
    rates: dict[str, float] = {}
    for line in whole:
        for kind, rate in line.get("gflops", {}).items():
            rates[kind] = max(rate, rates.get(kind, 0))  # other work can only slow it
    found: dict[str, Any] = {"matrix_gflops": rates}
    for name in dict.fromkeys(line["contestant"] for line in whole if "value" in line):
        own = [line for line in whole if line["contestant"] == name]
        seconds = statistics.median(line["seconds"] for line in own)
        cpu = statistics.median(line["cpu_seconds"] for line in own)
        found[name] = {
            "tokens_per_second": job.tokens / seconds,
            "tokens_per_cpu_second": job.tokens / cpu,
            "gflops": job.gflop / seconds,
        }
        if rates:
            found[name]["of_matrix_rate"] = job.gflop / seconds / max(rates.values())
    return {"speeds": rounded(found)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("model", nargs="?", default="tiny:teacher", help="a folder")
    parser.add_argument("--vllm", type=Path, default=Path(".vllm"), help="what make vllm-env made")
    parser.add_argument("--slow-rounds", type=int, default=1, help="of transformers' ways")
    parser.add_argument("--requests", type=int, help="the first N only; null: all 64")
    options = parser.parse_args()
    job = read_job(options.model, 2 if options.small else options.requests)
    about = {
        "model": options.model,
        "requests": len(job.requests),
        "prompt_tokens": sum(len(request["prompt_ids"]) for request in job.requests),
        "new_tokens": job.tokens,
        "gflop": round(job.gflop, 1),
    }
    heats = {
        dtype: Heat(
            {"model": job.model, "dtype": dtype, "requests": job.requests},
            entries(options.vllm, options.slow_rounds, half=dtype == "bfloat16"),
            {**about, "dtype": dtype},
        )
        for dtype in ("float32", "bfloat16")
    }
    run(parser, options, heats, lambda heat, lines: speeds(job, lines))


if __name__ == "__main__":
    main()
