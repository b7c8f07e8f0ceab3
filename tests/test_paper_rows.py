"""The paper's rows, dry-run by the embedded world's models on rows in their data's layouts."""

import re
from pathlib import Path

import pytest
from command_lines import ROOT

from uniapl_cli import load_config
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
