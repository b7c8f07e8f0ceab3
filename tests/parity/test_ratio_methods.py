"""Methods of imitation and of reinforcement alone, against other people's numbers.

Those of ratios_golden.json are of the authors' own functions where `official` says that they were
called, else of the formulas that it gives; in float64, of the given log-probabilities.
"""

import json
from pathlib import Path

import pytest
import torch
from composed import SIZES, tensor, updated

from uniapl_cli import load_config
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards.groups import equal_within_group

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "ratios_golden.json").read_text(encoding="utf-8"))
SHARED = HERE.parents[2] / "shared" / "reference" / "mixed_methods_golden.json"
OBJECTIVE = "terms.preference.objective"
# case, its part -> the method, and what its file is changed by.
UPDATES = {
    "nll_0": ("sft", []),
    "nll_1": ("sft", []),
    "dft_0": ("dft", []),
    "dft_0, as a scale": ("sft", ["terms.imitation.scale=p"]),
    "chord_phi_0": ("chord_phi", ["schedules.mu=1"]),
    "chord_phi_0, as a scale": ("sft", ["terms.imitation.scale=p * (1 - p)"]),
    "rlplus_focal_0": ("sft", ["terms.imitation.scale=(1 - p) ** 0.5"]),
    "ratios_0, gspo": ("gspo", [f"{OBJECTIVE}.clip_low=0.2", f"{OBJECTIVE}.clip_high=0.2"]),
    "ratios_0, gmpo": ("gmpo", []),
    "ratios_0, cispo_trl": ("cispo", []),
    "ratios_0, cispo_verl": ("cispo", [f"{OBJECTIVE}.cap=1.2", f"{OBJECTIVE}.floor=0.8"]),
    "ratios_0, sapo": ("sapo", []),
    "ratios_0, dapo": ("dapo", []),
}


def read(case):
    """Return the inputs of a case, and its outputs or that part of them."""
    name, _, part = case.partition(", ")
    outputs = GOLDEN[name]["outputs"]
    return GOLDEN[name]["inputs"], outputs.get(part, outputs)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("case", UPDATES)
def test_an_update(case, rows):
    (method, overrides), (inputs, outputs) = UPDATES[case], read(case)
    source = "rollouts" if "advantages" in inputs else "demonstrations"
    places = {source: range(len(inputs["logps"]))}
    loss, gradient = updated(method, inputs, None, overrides, rows=rows, sources=places)
    assert loss == pytest.approx(outputs["loss"], abs=1e-9)
    assert (gradient - tensor(outputs["grad_logps"])).abs().max() < 1e-9


def test_two_halves_by_a_schedule():
    """CHORD at step 50: the expert's row and the rollout have denominators of their own."""
    inputs, outputs = read("chord_mix_0")
    (expert,), (rollout,) = inputs["expert_logps"], inputs["logps"]
    mixed = {
        "logps": [[*expert, 0.0], rollout],
        "mask": [[1, 1, 0], [1, 1, 1]],
        "advantages": [0.0, *inputs["advantages"]],
    }
    places = {"demonstrations": [0], "rollouts": [1]}
    loss, gradient = updated("chord", mixed, step=inputs["step"], sources=places)
    assert loss == pytest.approx(outputs["loss"], abs=1e-9)
    expected = [[*outputs["grad_expert"][0], 0.0], outputs["grad_rollout"][0]]
    assert (gradient - tensor(expected)).abs().max() < 1e-9


def advantage(method, rewards, *overrides, **supplied):
    """Return the advantages by a method's file."""
    config = load_config(None, overrides, method)
    rule = advantages.bind(config.rewards["verifier"].advantage)
    groups = supplied.pop("groups", torch.zeros(len(rewards), dtype=torch.long))
    return rule(tensor(rewards), groups, **supplied)


RULES = {
    "grpo": ("grpo", ["rewards.verifier.advantage.epsilon=1e-6"]),
    "dr": ("dr_grpo", []),
    "rloo": ("rloo", []),
    "raft": ("raft", []),
}


@pytest.mark.parametrize("case", ["advantages_0", "advantages_2"])
@pytest.mark.parametrize("rule", RULES)
def test_advantages(rule, case):
    (method, overrides), (inputs, outputs) = RULES[rule], read(case)
    found = advantage(method, inputs["rewards"], *overrides)
    assert found.tolist() == pytest.approx(outputs[rule], abs=1e-9)


@pytest.mark.parametrize("rows", SIZES)
def test_reinforce_rej_drops_groups_and_counts_their_tokens(rows):
    """Two groups of tokens at a ratio of 1: each token's slope is -A over all tokens."""
    cases = [read(name) for name in ("advantages_0", "advantages_2")]
    rewards = [reward for inputs, _ in cases for reward in inputs["rewards"]]
    groups = torch.tensor([0] * 8 + [1] * 4)
    inputs = {
        "logps": [[-0.5]] * 12,
        "mask": [[1]] * 12,
        "advantages": advantage("reinforce_rej", rewards, groups=groups).tolist(),
    }
    known = {"all_equal": equal_within_group(tensor(rewards), groups)}
    _, gradient = updated("reinforce_rej", inputs, known, ["terms.kl=null"], rows=rows)
    expected = tensor([value for _, outputs in cases for value in outputs["rej"]])
    assert (gradient.flatten() + expected / 12).abs().max() < 1e-12


def test_reinforce_pp_whitens_over_the_tokens_of_the_step():
    inputs, outputs = read("reinforce_pp_baseline_0")
    mask = tensor(inputs["mask"])
    groups = torch.tensor(inputs["groups"])
    found = advantage("reinforce_pp", inputs["rewards"], groups=groups, lengths=mask.sum(1))
    assert (found.unsqueeze(1) * mask - tensor(outputs["advantages"])).abs().max() < 1e-9


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason=f"{SHARED.name} is not here")
@pytest.mark.parametrize("file", ["ratios_golden.json", "guided_golden.json"])
def test_the_numbers_are_those_that_others_found(file):
    theirs = {case["id"]: case for case in json.loads(SHARED.read_text("utf-8"))["cases"]}
    for name, case in json.loads((HERE / file).read_text("utf-8")).items():
        assert case == {part: theirs[name][part] for part in case}
