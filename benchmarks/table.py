"""The table of README.md, out of results/*.json: `python -m benchmarks.table --write`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# A result's file and heat, what the job is, and which memory is told of it.
JOBS = {
    ("sft_step_tiny", "step"): ("SFT step, tiny:teacher, 32 rows x 64", "peak_gib"),
    ("sft_step_smollm2", "step"): ("SFT step, SmolLM2-135M, 8 x 400", "peak_gib"),
    ("sft_step_qwen3", "step"): ("SFT step, Qwen3-0.6B's shape, 2 x 512", "peak_gib"),
    ("grpo_step", "step"): ("GRPO step, tiny:base, 16 x 8, at most 48 tokens", "peak_gib"),
    ("grpo_step_smollm2", "step"): ("GRPO step, SmolLM2-135M, 2 x 4 x 64", "peak_gib"),
    ("grpo_step_qwen3", "step"): ("GRPO step, Qwen3-0.6B's shape, 2 x 4 x 64", "peak_gib"),
    ("generation", "float32"): ("Generation, SmolLM2-135M, 9,013 tokens, float32", "peak_gib"),
    ("generation", "bfloat16"): ("The same in bfloat16", "peak_gib"),
    ("vocabulary", "loss"): ("Loss, 151,936 x 1,024, 2,048 tokens, and back", "extra_gib"),
    ("vocabulary", "logps"): ("Log-probabilities, the same", "extra_gib"),
    ("polar_scoring", "short"): ("POLAR scoring, prefixes of some 70 tokens", "peak_gib"),
    ("polar_scoring", "long"): ("POLAR scoring, prefixes of some 290 tokens", "peak_gib"),
    ("verification", "ifeval"): ("Verification, 813 IFEval answers", "peak_gib"),
    ("verification", "math"): ("Verification, 83 answers in mathematics", "peak_gib"),
}
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->"
HEAD = """| job | ours | the others, and their settings | times ours | result |
|---|---|---|---|---|
"""


def figures(one: dict[str, Any], memory: str) -> str:
    """Return a contestant's seconds, their parts and its memory."""
    words = f"{one['cpu_seconds']:.3g} s"
    if parts := one.get("parts"):
        words += " (" + ", ".join(f"{name} {value:.2g}" for name, value in parts.items()) + ")"
    return f"{words}, {one[memory]:.3g} GiB"


def rows(name: str, heat: str) -> list[str]:
    """Return the rows of a job, one for each that this project is compared with, if it was run."""
    label, memory = JOBS[name, heat]
    file = HERE / f"results/{name}.json"
    heats = json.loads(file.read_text("utf-8")).get("heats", {}) if file.exists() else {}
    if heat not in heats:
        return []
    found = heats[heat]["summary"]
    base, *others = found
    link = f"[{name}](results/{name}.json)"
    lines = []
    for other in others:
        if "times" not in (one := found[other]) or other == "matrix":  # no peer
            continue
        times = f"**{one['times']:.2f}**"
        if one["rounds"] > 1:
            times += " ({:.2f}-{:.2f})".format(*one["times_range"])
        cells = (f"{other}: {one['settings']}: {figures(one, memory)}", times, link)
        lines.append([label, figures(found[base], memory), *cells])
    if not lines:
        lines.append([label, figures(found[base], memory), "none", "", link])
    for line in lines[1:]:
        line[0] = line[1] = line[-1] = ""
    return ["| " + " | ".join(line) + " |" for line in lines]


def table() -> str:
    """Return the table of all results that are there."""
    return HEAD + "\n".join(line for key in JOBS for line in rows(*key)) + "\n"


def main() -> None:
    if sys.argv[1:] != ["--write"]:
        print(table(), end="")
        return
    readme = HERE / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    readme.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
