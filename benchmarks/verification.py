"""Rows a second of verification: IFEval's instructions, and answers in mathematics.

    python -m benchmarks.verification ../shared/data --lm-eval .lm-eval --out FILE.json

The folder holds ifeval/ (input_data.jsonl, and answers of three models in `*_strict.part1.jsonl`),
nltk/ and math_pairs.jsonl ({gold, answer}). --lm-eval is an environment in which
`pip install lm-eval[ifeval]` was run: it ships IFEval's official code. Both
judge strictly and loosely, each in a fresh process a round, so tables and language profiles are
loaded as well. math-verify is called directly, in the process; this project compares what is equal
as it stands, and calls math-verify in its sandbox, whose processes count. The value is how many
constraints are followed, strictly and loosely: langdetect draws, and lm-eval's copy counts a letter
drawn at random where `!` or `#` was asked for, so some differ.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.race import Entry, Heat, arguments, run

MODELS = ("gpt4_eval_results", "mifeval_en_mistral-7b-v0.3", "mifeval_en_qwen2.5-1.5b-gptq")
SMALL = [
    {"ids": ["punctuation:no_comma"], "kwargs": [{}], "prompt": "", "response": "None here."},
    {"ids": ["change_case:english_lowercase"], "kwargs": [{}], "prompt": "", "response": "all low"},
]
SMALL_MATH = [{"gold": "\\frac{1}{2}", "answer": "0.5"}, {"gold": "2", "answer": "3"}]


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def ifeval_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the answers of three models with what their prompts ask for."""
    prompts = {row["prompt"]: row for row in read(folder / "input_data.jsonl")}
    rows = []
    for model in MODELS:
        for answer in read(folder / f"{model}_strict.part1.jsonl"):
            asked = prompts[answer["prompt"]]
            rows.append(
                {
                    "ids": asked["instruction_id_list"],
                    "kwargs": asked["kwargs"],
                    "prompt": asked["prompt"],
                    "response": answer["response"],
                }
            )
    return rows


def math_rows(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "ids": ["answer:math"],
            "kwargs": [{"answer": pair["gold"]}],
            "response": f"It is $\\boxed{{{pair['answer']}}}$.",
        }
        for pair in pairs
    ]


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--lm-eval", type=Path, default=Path(".lm-eval"), help="an environment")
    options = parser.parse_args()
    if not (options.small or options.data):
        parser.error("name the folder of the data, or rehearse with --small")
    if options.small:
        rows, pairs = SMALL, SMALL_MATH
    else:
        os.environ["NLTK_DATA"] = str(options.data.resolve() / "nltk")
        rows, pairs = ifeval_rows(options.data / "ifeval"), read(options.data / "math_pairs.jsonl")
    official = str(options.lm_eval.absolute() / "bin" / "python")
    ifeval = {
        "ours": Entry("verifying", "strictly and loosely"),
        "official": Entry("official_ifeval", "lm-eval's copy, strictly and loosely", {}, official),
    }
    math = {
        "ours": Entry("verifying", "in the sandbox", {"warm": True}),
        "math_verify": Entry("math_verify_alone", "in the process, its own limits of time"),
    }
    heats = {
        "ifeval": Heat({"rows": rows}, ifeval, {"rows": len(rows)}, fresh=True),
        "math": Heat({"rows": math_rows(pairs)}, math, {"rows": len(pairs)}),
    }
    run(parser, options, heats)


if __name__ == "__main__":
    main()
