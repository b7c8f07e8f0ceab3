"""Does lm-evaluation-harness decide alike with its own model class and with ours?

    pip install 'uniapl[lm-eval]'
    python benchmarks/harness.py MODEL DATA [--rows 50] > benchmarks/results/harness.json

DATA holds mmlu/test/*.csv and cmmlu/test/*.csv. The first row of each subject, then the second one,
up to so many rows that fit the model's context, zero-shot: MMLU and CMMLU by the likelihood of a
letter, and MMLU by that of each option's text. Both classes have the same model in float32; seconds
are those of their `loglikelihood`. Says how many rows are decided alike, and the largest difference
of a log-likelihood. No network is used.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.evaluation.harness import check_installed, model_class, run_tasks
from uniapl_cli.generation.context import context_of
from uniapl_cli.generation.likelihood import LikelihoodScorer
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy

# Tokens of a prompt beside its row's.
BESIDE = 40
LETTERS = "A. {{A}}\nB. {{B}}\nC. {{C}}\nD. {{D}}\n"
TASKS = {
    "mmlu": ("mmlu", "{{question.strip()}}\n" + LETTERS + "Answer:", list("ABCD")),
    "cmmlu": ("cmmlu", "{{question.strip()}}\n" + LETTERS + "答案：", list("ABCD")),
    "mmlu_texts": ("mmlu", "Question: {{question}}\nAnswer:", "{{[A, B, C, D]}}"),
}


def mmlu(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for question, *options, answer in csv.reader(file):
            yield {"question": question, **dict(zip("ABCD", options, strict=True)), "gold": answer}


def cmmlu(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            options = {letter: row[letter] for letter in "ABCD"}
            yield {"question": row["Question"], **options, "gold": row["Answer"]}


def write_tasks(folder: Path, data: Path, rows: int, fits: Callable[[str], bool]) -> None:
    """Write the tasks' files, which are JSON and therefore YAML."""
    for name, read in (("mmlu", mmlu), ("cmmlu", cmmlu)):
        subjects = [list(read(path)) for path in sorted((data / name / "test").glob("*.csv"))]
        in_turn = (row for some in itertools.zip_longest(*subjects) for row in some if row)
        in_turn = (row for row in in_turn if fits("\n".join(row.values())))
        lines = [json.dumps(row) for row in itertools.islice(in_turn, rows)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name, (file, text, options) in TASKS.items():
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / f"{file}.jsonl")}},
            "output_type": "multiple_choice",
            "test_split": "test",
            "doc_to_text": text,
            "doc_to_choice": options,
            "doc_to_target": "{{'ABCD'.index(gold)}}",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")


def timed(lm: Any) -> list[float]:
    """Have a model note the seconds of its `loglikelihood`, and return the notes."""
    seconds, score = [], lm.loglikelihood

    def measured(requests: Any, **options: Any) -> Any:
        began = time.perf_counter()
        found = score(requests, **options)
        seconds.append(time.perf_counter() - began)
        return found

    lm.loglikelihood = measured
    return seconds


def likelihoods(result: dict[str, Any], task: str) -> list[list[float]]:
    """Return the options' log-likelihoods of each row."""
    samples = sorted(result["samples"][task], key=lambda sample: sample["doc_id"])
    return [[float(answers[0][0]) for answers in sample["resps"]] for sample in samples]


def compare(theirs: dict[str, Any], ours: dict[str, Any], task: str) -> dict[str, Any]:
    pairs = list(zip(likelihoods(theirs, task), likelihoods(ours, task), strict=True))
    gaps = [abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)]
    alike = sum(one.index(max(one)) == other.index(max(other)) for one, other in pairs)
    scores = [result["results"][task]["acc,none"] for result in (theirs, ours)]
    return {
        "rows": len(pairs),
        "decided alike": alike,
        "largest difference": float(f"{max(gaps):.2g}"),
        "accuracy": scores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a folder, or tiny:base")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    check_installed()
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(asked.threads)
    path = resolve(asked.model) if asked.model.startswith("tiny:") else asked.model
    policy = load_policy(path, asked.device, "float32")
    model, tokenizer = policy.model, policy.tokenizer
    chat = Chat(tokenizer)
    ours = model_class()(
        LocalGenerator(model, chat, precision="float32"),
        LikelihoodScorer(model, tokenizer, precision="float32"),
        chat,
    )
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8, device=asked.device)

    def fits(text: str) -> bool:
        return len(tokenizer(text)["input_ids"]) + BESIDE <= context_of(model)

    found: dict[str, Any] = {"model": asked.model, "device": asked.device}
    found |= {name: version(name) for name in ("lm_eval", "torch", "transformers")}
    with tempfile.TemporaryDirectory() as folder:
        write_tasks(Path(folder), asked.data, asked.rows, fits)
        for task in TASKS:
            results, seconds = [], []
            for lm in (theirs, ours):
                notes = timed(lm)
                results.append(run_tasks(lm, [task], include_path=folder))
                seconds.append(round(sum(notes), 2))
            found[task] = compare(*results, task) | {"seconds (HFLM, ours)": seconds}
            print(task, found[task], file=sys.stderr)
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
