"""The paper's rows, dry-run by the embedded world's models on rows in their data's layouts."""

import csv
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_lines import ROOT

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.train import train
from uniapl_cli.files import write_rows

PAPER = ROOT / "experiments" / "paper"
ROWS = {
    path.stem: match[1]
    for path in sorted(PAPER.glob("*.yaml"))
    if (match := re.search(r"^# +uniapl train (\S+)", path.read_text("utf-8"), re.MULTILINE))
}
SMALL = [
    "discriminator.path=tiny:polar", "precision=float32", "run.device=cpu", "run.threads=1",
    "data.max_prompt_tokens=100", "data.max_response_tokens=50", "sampling.max_new_tokens=16",
    "sources.demonstrations.rows_per_step=4", "sources.rollouts.prompts_per_step=4",
]  # fmt: skip
TURN = {"role": "user", "content": "Name a river. Use no comma."}
TRUTH = {"role": "assistant", "content": "The Nile."}
FUNCTION = "def evaluate(response):\n    return ',' not in response"
IDS = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": "[{}]"}
MULTI = "[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [None]}]"
# As filter-gt leaves the three sets: their own columns, and IF-multi's response by a model.
GT = {
    "autoif": {"eval_funcs": [FUNCTION], "messages": [TURN, TRUTH], "system": "", "tools": []},
    "ifeval_like": {"key": 1, "prompt": TURN["content"], "response": "The Nile.", **IDS},
    "if_multi": {
        "key": "a/b_1", "messages": [TURN], "ground_truth": MULTI, "dataset": "ifeval",
        "constraint_type": "multi", "constraint": None, "response": "The Nile.",
        "finish_reason": "stop",
    },
}  # fmt: skip
# What teacher-gen adds, the ground truth kept.
ANSWERED = {"key": "1", "sample": 0, "response": "The Rhine.", "reference": "The Nile."}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    for name, row in GT.items():
        verdict = {"verdict": {"strict": [True], "loose": [True]}}
        for kind, more in (("gt", verdict), ("teacher", {**verdict, **ANSWERED})):
            path = folder / "work" / "paper" / kind / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_rows(path, [{**row, **more}] * 4)
    return folder


@pytest.mark.parametrize("row", ROWS)
def test_a_row_dry_runs_on_all_three_training_sets(row, data, monkeypatch):
    monkeypatch.chdir(data)
    config = load_config(PAPER / f"{row}.yaml", [*SMALL, "model.path=tiny:base"], ROWS[row])
    result = train(config, dry_run=True)
    assert result["steps"] == 500
    assert set(result["data"].values()) == {sum(4 for _ in GT)}
    assert not Path(config.run.dir).exists()


OPTIONS = {"A": "one", "B": "two", "C": "three", "D": "four"}
WRONG = {f"Incorrect Answer {number}": f"{number}" for number in (1, 2, 3)}
# A question of each of the twelve benchmarks, in the file and the columns in which it is fetched.
QUESTIONS = {
    "ifeval/input_data.jsonl": {"key": 1, "prompt": "Hi.", **IDS, "kwargs": [{}]},
    "multi_if/multiIF_20241018.csv": {
        "key": "1:1:en", "language": "English",
        **{
            f"turn_{n}_{name}": value
            for n in (1, 2, 3)
            for name, value in (
                ("prompt", json.dumps({"role": "user", "content": "Hi."})),
                ("instruction_id_list", json.dumps(IDS["instruction_id_list"])),
                ("kwargs", json.dumps(["{}"])),
            )
        },
    },
    # No header: these are two questions.
    "mmlu/test/anatomy_test.csv": {
        "First?": "Second?", **dict(zip(OPTIONS.values(), "1234", strict=True)), "A": "B",
    },
    "mmlu_pro/data/test.jsonl": {
        "question_id": 1, "question": "?", "options": [*OPTIONS.values()], "answer": "A",
        "answer_index": 0, "category": "math",
    },
    "gpqa/gpqa_diamond.csv": {"Question": "?", "Correct Answer": "4", **WRONG},
    "humaneval/HumanEval.jsonl": {
        "task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate() is None\n",
    },
    "mbpp/mbpp.jsonl": {
        "task_id": 11, "text": "Write f.", "code": "f = 1", "test_list": ["assert f == 1"],
        "test_setup_code": "",
    },
    "gsm8k/test.jsonl": {"question": "2 + 2?", "answer": "It is 4.\n#### 4"},
    "math/test.jsonl": {"problem": "2 + 2?", "solution": "\\boxed{4}", "type": "Algebra"},
    "theoremqa/theoremqa_test.json": [
        {"Question": "2 + 2?", "Answer": 4, "Answer_type": "integer", "Picture": None}
    ],
    "cmmlu/test/anatomy.csv": {"": 0, "Question": "?", **OPTIONS, "Answer": "A"},
    "ceval/val/accountant_val.csv": {"id": 0, "question": "?", **OPTIONS, "answer": "A"},
}  # fmt: skip


@pytest.fixture
def questions(tmp_path):
    for name, row in QUESTIONS.items():
        path = tmp_path / "data" / "benchmarks" / name
        path.parent.mkdir(parents=True)
        if path.suffix == ".csv":
            with path.open("w", newline="") as file:
                csv.writer(file).writerows([row.keys(), row.values()])
        else:
            path.write_text(json.dumps(row))
    return tmp_path


MEASURED = {"0.6b": 12, "base-gt-sft": 12, "32b": 1}


@pytest.mark.skipif(find_spec("math_verify") is None, reason="the extra math is not installed")
@pytest.mark.parametrize("row", MEASURED)
def test_a_row_is_measured_on_its_benchmarks(row, questions, monkeypatch):
    monkeypatch.chdir(questions)
    config = load_config(PAPER / f"{row}.yaml", [*SMALL, "eval.model=tiny:base"], ROWS.get(row))
    result = evaluate(config, dry_run=True)
    assert len(result["benchmarks"]) == MEASURED[row]
    assert not Path(config.eval.out).exists()
