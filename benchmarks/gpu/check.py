"""What uniapl does on a GPU: correctness first, then speed; one line of JSON a measurement.

    python benchmarks/gpu/check.py --out FOLDER --budget-seconds 420
    python benchmarks/gpu/check.py --only smollm2 --smollm2 work/smollm2 --prompts ifeval.jsonl
    OMP_NUM_THREADS=1 python benchmarks/gpu/check.py --small        a rehearsal on a CPU
    OMP_NUM_THREADS=1 python benchmarks/gpu/check.py --small --precision bfloat16

A line has `section`, `what` and figures. A section that fails leaves a line with `error`, and the
next one runs. No section starts with less time left than it is expected to take. All lines are
appended to FOLDER/gpu_check.jsonl, and a table of them is printed last. README.md says what the
sections tell.

Nothing here has run on a GPU yet: there, the lines about graphs are the first to look at.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", help="folder for gpu_check.jsonl")
    parser.add_argument("--work", default="work/gpu", help="folder for what the runs write")
    parser.add_argument("--device", help="cuda, cpu; default: cuda where there is one")
    parser.add_argument("--budget-seconds", type=float, default=540)
    parser.add_argument("--small", action="store_true", help="tiny shapes, for a rehearsal")
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "float32", "bfloat16"),
        help="of all sections that do not try both",
    )  # fmt: skip
    parser.add_argument("--only", default="", help="sections, with commas")
    parser.add_argument("--skip", default="", help="sections, with commas")
    parser.add_argument("--smollm2", help="folder that fetch_smollm2.py made")
    parser.add_argument("--prompts", default="tiny:heldout", help="JSONL to evaluate on")
    parser.add_argument("--train-prompts", default="tiny:train", help="JSONL for GRPO")
    parser.add_argument("--limit", type=int, default=541, help="prompts to evaluate on")
    parser.add_argument("--grpo-steps", type=int, default=15)
    parser.add_argument("--lr", type=float, default=2e-6)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.sections = {"only": names(options.only), "skip": names(options.skip)}
    options.fail = parser.error
    return options


def names(text: str) -> set[str]:
    return set(filter(None, text.split(",")))


def prepare(options: argparse.Namespace) -> None:
    """Find the package from anywhere, offline, before any part of it is imported."""
    sys.path[0] = str(ROOT)  # in place of this folder, whose files have common names
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main() -> None:
    options = parse()
    prepare(options)
    from benchmarks.gpu.bench import Bench
    from benchmarks.gpu.continuous import child
    from benchmarks.gpu.sections import SECTIONS
    from uniapl_cli.runs.console import set_up_logging

    bench = Bench(options)
    if options.child:
        child(bench, *map(int, options.child.split(",")))
        return
    set_up_logging()
    only, skip = options.sections["only"], options.sections["skip"]
    if unknown := (only | skip) - set(SECTIONS):
        options.fail(f"no section {min(unknown)}; known: {', '.join(SECTIONS)}")
    for name, (section, expected) in SECTIONS.items():
        if (only and name not in only) or name in skip:
            continue
        bench.section = name
        if bench.left < (10 if options.small else expected):
            bench.log("left out", why=f"{bench.left:.0f} s left, about {expected:.0f} needed")
            continue
        began = time.monotonic()
        with bench.part("section"):
            section(bench)
        bench.log("section done", seconds=time.monotonic() - began)
        bench.free()
    bench.print_table()


if __name__ == "__main__":
    main()
