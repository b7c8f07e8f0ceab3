"""Methods' files against the authors' own functions, which were called once on random tensors.

official_golden.json says which, of which repository and commit, and holds what went in and came
out. `rows` are common to all. Where they sum over tokens and divide by the width alone, our mean
over rows times the width is theirs by their number.
"""

import json
from pathlib import Path

import pytest
import torch
from composed import SIZES, tensor, updated

from uniapl_cli import load_config
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards.groups import equal_within_group

GOLDEN = json.loads(Path(__file__).with_name("official_golden.json").read_text("utf-8"))
ROWS = GOLDEN.pop("rows")
COUNT, WIDTH = len(ROWS["mask"]), len(ROWS["mask"][0])
# method -> the terms that are sums over the width, and what else its file is changed by.
SUMMED = {
    "luffy": (["explore", "imitate"], ["terms.entropy=null"]),
    "rl_plus": (["explore", "imitate"], []),
    "srft": (["learn", "keep", "avoid"], []),
    "hpt": (["explore"], ["terms.entropy=null"]),
}
ALONE = {
    "sft": [],
    "raft": ["terms.kl=null"],
    "reinforce_rej": ["terms.kl=null"],
    "reinforce_pp": ["terms.kl=null"],
    "maxrl": [],
    "dapo": [],
}
# Their estimators add 1e-6 where some of ours add another number or nothing.
RULES = {
    "luffy": [],
    "raft": [],
    "maxrl": [],
    "reinforce_pp": [],
    "dapo": ["rewards.verifier.advantage.epsilon=1e-6"],
}


def test_each_case_is_tried():
    assert set(GOLDEN) == {*SUMMED, *ALONE}


def facts(inputs):
    """Return what the rows of a case are known to be."""
    rewards, known = tensor(inputs.get("rewards", [0.0] * COUNT)), {}
    if "expert" in inputs:
        known["expert"] = torch.tensor(inputs["expert"]).bool()
    if "right_share" in inputs:
        known["right_share"] = tensor(inputs["right_share"])
    groups = torch.tensor(inputs.get("groups", [0] * COUNT))
    return {**known, "right": rewards == 1, "all_equal": equal_within_group(rewards, groups)}


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("method", GOLDEN)
def test_loss_and_gradient(method, rows):
    case = GOLDEN[method]
    summed, overrides = SUMMED.get(method) or ([], ALONE[method])
    inputs = {**ROWS, "advantages": case.get("advantages", [0.0] * COUNT)}
    constant = f"{{kind: constant, length: {WIDTH}}}"
    changes = [*overrides, *(f"terms.{name}.reduction={constant}" for name in summed)]
    fields = {"entropy": tensor(case["inputs"]["entropy"])} if method == "srft" else {}
    loss, gradient = updated(
        method,
        inputs,
        facts(case["inputs"]),
        changes,
        dict.fromkeys(summed, COUNT),
        rows,
        sources={"demonstrations" if method == "sft" else "rollouts": range(COUNT)},
        **fields,
    )
    assert loss == pytest.approx(case["loss"], abs=1e-9)
    assert (gradient - tensor(case["gradient"])).abs().max() < 1e-9


@pytest.mark.parametrize("method", RULES)
def test_advantages(method):
    case = GOLDEN[method]
    rule = load_config(None, RULES[method], method).rewards["verifier"].advantage
    lengths = {"lengths": tensor(ROWS["mask"]).sum(1)} if advantages.wants(rule, "lengths") else {}
    rewards, groups = tensor(case["inputs"]["rewards"]), torch.tensor(case["inputs"]["groups"])
    found = advantages.bind(rule)(rewards, groups, **lengths)
    assert found.tolist() == pytest.approx(case["advantages"], abs=2e-6)
