"""Rows a second of the verifiers on real IFEval answers, each once, with nothing loaded or cached.

    python benchmarks/verify_ifeval.py FOLDER > benchmarks/results/verify_ifeval.json

FOLDER holds ifeval/ (input_data.jsonl and the three models' `*_strict.part1.jsonl`) and nltk/ (the
punkt tables). Each of several rounds is a fresh process, on one core; what it loads on its way,
tables and language profiles, counts. Times are the processor's, so other work on the machine
disturbs them less. The result is of the median round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROUNDS = 7
MODELS = ("gpt4_eval_results", "mifeval_en_mistral-7b-v0.3", "mifeval_en_qwen2.5-1.5b-gptq")


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def one_round(folder: Path) -> dict[str, object]:
    """Judge all rows in this process, which has imported the verifiers and nothing else."""
    from uniapl_cli.verifiers import constraints, judge, language

    prompts = {row["prompt"]: row for row in read(folder / "input_data.jsonl")}
    cases = []
    for model in MODELS:
        for answer in read(folder / f"{model}_strict.part1.jsonl"):
            row = prompts[answer["prompt"]]
            own = constraints(row["instruction_id_list"], row["kwargs"])
            cases.append((answer["response"], own))
    detect, detecting = language.detect, []

    def timed(text: str) -> str | None:
        began = time.process_time()
        result = detect(text)
        detecting.append(time.process_time() - began)
        return result

    language.detect = timed
    began = time.process_time()
    followed = sum(sum(judge(response, own).loose) for response, own in cases)
    seconds = time.process_time() - began
    language.detect, rest = detect, seconds - sum(detecting)
    return {
        "rows": len(cases),
        "constraints": sum(len(own) for _, own in cases),
        "followed loosely": followed,
        "rows/s": round(len(cases) / seconds),
        "langdetect share": round(1 - rest / seconds, 3),
        "ms a row outside langdetect": round(1000 * rest / len(cases), 3),
        "ms again, by instruction": by_instruction(cases),
    }


def by_instruction(cases: list[tuple[str, tuple]]) -> dict[str, float]:
    """Return what the dearest instructions take, with everything loaded."""
    from uniapl_cli.verifiers import judge, language, text

    seconds: Counter[str] = Counter()
    for response, constraints in cases:
        for constraint in constraints:
            language.detect.cache_clear()
            text.sentences.cache_clear()
            began = time.process_time()
            judge(response, [constraint])
            seconds[constraint.id] += time.process_time() - began
    return {name: round(1000 * spent, 1) for name, spent in seconds.most_common(8)}


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["once"]:
        print(json.dumps(one_round(folder / "ifeval")))
        return
    env = {**os.environ, "NLTK_DATA": str(folder / "nltk"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(folder), "once"]
    rounds = [
        json.loads(subprocess.run(command, stdout=-1, env=env, check=True).stdout)
        for _ in range(ROUNDS)
    ]
    rounds.sort(key=lambda one: one["rows/s"])
    rates = [one["rows/s"] for one in rounds]
    print(json.dumps({**rounds[ROUNDS // 2], "rows/s of all rounds": rates}, indent=1))


if __name__ == "__main__":
    main()
