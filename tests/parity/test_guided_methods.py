"""Methods that put a teacher's rows, or their beginnings, into groups, against other people's code.

Numbers in guided_golden.json are those of the authors' own functions where `official` says that
they were called, else of the formulas that it gives; in float64, of the given log-probabilities.
"""

import json
from pathlib import Path
from statistics import fmean

import pytest
import torch
from composed import SIZES, composed, tensor, updated
from rollout_cases import completion, example

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards import Reward, WeightedFunction
from uniapl_cli.sources.beginnings import make_beginnings
from uniapl_cli.sources.known import known_of
from uniapl_cli.sources.search import Bisection, Search
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Rollout

GOLDEN = json.loads(Path(__file__).with_name("guided_golden.json").read_text(encoding="utf-8"))


def experts(inputs):
    return {"expert": torch.tensor(inputs["expert"]).bool()}


def by_width(terms, length=8):
    """Overrides under which these terms are sums over tokens / `length` and rows."""
    return [f"terms.{name}.reduction={{kind: constant, length: {length}}}" for name in terms]


@pytest.mark.parametrize("rows", SIZES)
def test_luffy(rows):
    """The authors' sum over tokens / width is not divided by the rows, of which there are 2."""
    inputs, outputs = (GOLDEN["luffy_0"][part] for part in ("inputs", "outputs"))
    found = {
        "": by_width(["explore", "imitate"]),
        "_token_mean": [f"terms.{name}.reduction=token" for name in ("explore", "imitate")],
    }
    for kind, overrides in found.items():
        overrides = ["terms.entropy=null", *overrides]
        loss, gradient = updated("luffy", inputs, experts(inputs), overrides, rows=rows)
        scale = 1 if kind else 2
        assert scale * loss == pytest.approx(outputs[f"loss{kind}"], abs=1e-10)
        expected = tensor(outputs["grad_token_mean" if kind else "grad_logps"])
        assert (scale * gradient - expected).abs().max() < 1e-10


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("version", ["code", "paper"])
def test_rl_plus(version, rows):
    inputs, outputs = (GOLDEN["rlplus_0"][part] for part in ("inputs", "outputs"))
    overrides = by_width(["explore", "imitate"])
    if version == "paper":
        overrides.append(f"terms.imitate.objective.uniform={1 / inputs['vocabulary']}")
    loss, gradient = updated("rl_plus", inputs, experts(inputs), overrides, rows=rows)
    assert 2 * loss == pytest.approx(outputs[f"loss_{version}"], abs=1e-10)
    assert (2 * gradient - tensor(outputs[f"grad_{version}"])).abs().max() < 1e-10


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("version", ["script", "paper_ratio"])
def test_srft(version, rows):
    inputs, outputs = (GOLDEN["srft_0"][part] for part in ("inputs", "outputs"))
    summed = ["learn", "keep", "avoid"]
    overrides = by_width(summed)
    if version == "script":
        overrides.append("terms.learn.objective={kind: shaped, reward: verifier, gamma: 0.1}")
    known = {**experts(inputs), "right": torch.tensor(inputs["right"]).bool()}
    loss, gradient = updated(
        "srft",
        inputs,
        known,
        overrides,
        dict.fromkeys(summed, 3),
        rows,
        entropy=tensor(inputs["row_entropy"]).unsqueeze(1),
    )
    assert loss == pytest.approx(outputs[f"loss_{version}"], abs=1e-10)
    assert (gradient - tensor(outputs[f"grad_{version}"])).abs().max() < 1e-10


@pytest.mark.parametrize("rows", SIZES)
def test_hpt_is_each_half_s_own_mean_whatever_the_micro_batches(rows):
    """The authors' code gives three gradients for 1, 2 and 4 micro-batches of these rows."""
    inputs, outputs = (GOLDEN["hpt_mix_0"][part] for part in ("inputs", "outputs"))
    known = {**experts(inputs), "right_share": torch.tensor([0.5, 0.5, 0.0, 0.0])}
    loss, gradient = updated("hpt", inputs, known, ["terms.entropy=null"], rows=rows)
    expected = outputs["token_mean_each_half"]
    assert loss == pytest.approx(expected["loss"], abs=1e-10)
    assert (gradient - tensor(expected["grad"])).abs().max() < 1e-10


def group(rewards, expert=None, given=()):
    """Return the rollouts of a group of these rewards, and what they were judged to be.

    expert: what the teacher's row, apart, earned. given: the rows that begin with 2 tokens of it.
    """
    earned = [*rewards, *([] if expert is None else [expert])]
    one = completion(tokens=(5, 6, 7, 8))
    rollouts = [
        Rollout(example(), (1,), one, 0, 2 if place in given else 0)
        for place in range(len(rewards))
    ]
    if expert is not None:
        rollouts.append(Rollout(example(), (1,), one, 0, len(one.token_ids), apart=True))
    score = WeightedFunction("score", 1.0, lambda rows: earned[: len(rows)])
    judge = Reward("verifier", [score], advantages["centred"].definition)
    return rollouts, judge.compute(rollouts)


@pytest.mark.parametrize("method", ["hpt", "superrl"])
def test_the_gate_is_by_the_share_of_a_group_s_own_rollouts(method):
    inputs, outputs = (GOLDEN["hpt_gate_0"][part] for part in ("inputs", "outputs"))
    gates = [(inputs["gate"], outputs["imitate"])]
    gates += [(2 / 8, [True, True, True, False])] * (method == "hpt")
    for gate, expected in gates:
        overrides = [f"schedules.gate={gate}", "terms.entropy=null"] * (method == "hpt")
        terms, _ = composed(method, *overrides)
        by_name = {term.name: term for term in terms}
        for rewards, imitates in zip(inputs["rewards"], expected, strict=True):
            rollouts, judged = group(rewards, expert=0.0)
            mask = torch.ones(9, 4, dtype=torch.bool)
            known = known_of(rollouts, ("expert", "right_share"), judged, mask)
            batch = TokenBatch(torch.zeros(9, 5, dtype=torch.long), mask, known=known)
            assert by_name["imitate"].mask(batch)[8].all() == imitates
            assert not by_name["imitate"].mask(batch)[:8].any()
            assert by_name["explore"].mask(batch)[:8].all() == (not imitates)
            assert not by_name["explore"].mask(batch)[8].any()


@pytest.mark.parametrize("method", ["hpt", "superrl"])
def test_a_demonstration_may_have_to_be_right(method):
    share = "gate" if method == "hpt" else "0"
    guard = f"terms.imitate.rows='expert and right and right_share <= {share}'"
    imitate = next(t for t in composed(method, guard)[0] if t.name == "imitate")
    for earned in (0.0, 1.0):
        rollouts, judged = group([0.0] * 8, expert=earned)
        mask = torch.ones(9, 4, dtype=torch.bool)
        known = known_of(rollouts, ("expert", "right", "right_share"), judged, mask)
        batch = TokenBatch(torch.zeros(9, 5, dtype=torch.long), mask, known=known)
        assert imitate.mask(batch)[8].all() == (earned == 1)


def test_prefix_rft_s_advantage_is_one_for_the_whole_row():
    inputs, outputs = (GOLDEN["prefix_rft_advantage_0"][part] for part in ("inputs", "outputs"))
    rollouts, judged = group(inputs["rewards"], given={7})
    assert [rollout.given for rollout in rollouts] == [0] * 7 + [inputs["prefix_tokens"]]
    assert judged.advantages.tolist() == pytest.approx(outputs["joint"])


@pytest.mark.parametrize("rows", SIZES)
def test_prefix_rft_counts_the_given_tokens_of_the_highest_entropy(rows):
    """Ranked over the whole step: here half of the given tokens are in a row of their own."""
    inputs, outputs = (GOLDEN["prefix_rft_entropy_mask_0"][part] for part in ("inputs", "outputs"))
    entropy = tensor(inputs["entropy"]).reshape(2, 5)
    own = tensor([[3.0, 0.01], [3.1, 0.02]])  # of sampled tokens, which no rank is about
    given = torch.tensor([[True] * 5 + [False] * 2] * 2)
    row = {"logps": [[-1.0] * 7] * 2, "mask": [[1] * 7] * 2, "advantages": [0.5, -0.25]}
    _, gradient = updated(
        "prefix_rft",
        row,
        {"given": given},
        by_width(["explore", "guided"], 7),
        rows=rows,
        entropy=torch.cat([entropy, own], 1),
    )
    kept = torch.tensor(outputs["keep"]).bool().reshape(2, 5)
    counted = torch.cat([kept, torch.ones(2, 2, dtype=torch.bool)], 1)
    assert torch.equal(gradient != 0, counted)
    expected = -tensor(row["advantages"]).unsqueeze(1) / 14 * counted
    assert (gradient - expected).abs().max() < 1e-12


def test_prefix_rft_s_beginnings_become_shorter_as_the_authors_do():
    inputs, outputs = (GOLDEN["prefix_rft_length_0"][part] for part in ("inputs", "outputs"))
    config = load_config(None, [f"training.steps={inputs['n']}"], "prefix_rft")
    values = [plan(config).schedule_values(step)["longest"] for step in inputs["steps"]]
    assert values == pytest.approx(outputs["high"], abs=1e-9)


@pytest.mark.parametrize("rows", SIZES)
def test_uft(rows):
    """Hint and response are one row here: its first three places are the hint's."""
    inputs, outputs = (GOLDEN["uft_loss_0"][part] for part in ("inputs", "outputs"))
    both = {
        name: torch.cat([tensor(inputs["hint_logps"]), tensor(inputs[name])], 1).tolist()
        for name in ("logps", "old_logps", "ref_logps")
    }
    hint = torch.tensor(inputs["hint_mask"]).bool()
    given = torch.cat([hint, torch.zeros(2, 2, dtype=torch.bool)], 1)
    mask = torch.cat([hint, torch.ones(2, 2, dtype=torch.bool)], 1).tolist()
    row = {**both, "mask": mask, "advantages": inputs["advantages"]}
    loss, gradient = updated(
        "uft",
        row,
        {"given": given},
        ["terms.entropy=null"],
        rows=rows,
        ref_logps=tensor(both["ref_logps"]),
    )
    assert loss == pytest.approx(outputs["loss"], abs=1e-10)
    expected = torch.cat([tensor(outputs["grad_hint"]), tensor(outputs["grad_logps"])], 1)
    assert (gradient - expected).abs().max() < 1e-10


def test_uft_s_hints_become_shorter_as_the_authors_do():
    inputs, outputs = (GOLDEN["uft_hint_0"][part] for part in ("inputs", "outputs"))
    config = load_config(None, ["training.steps=500"], "uft")
    values = [plan(config).schedule_values(step)["hint"] for step in inputs["steps"]]
    assert values[:4] == pytest.approx(outputs["p"][:4], abs=1e-9)
    assert values[-1] == outputs["p"][-1] == 0
    prefix = config.source("rollouts").prefix
    law = make_beginnings(prefix, 4, 0, "rollouts")
    shares = [law.given(1000, 4, step, 0, {"hint": 0.5}) for step in range(300)]
    assert all(len(set(group)) == 1 for group in shares)
    assert fmean(group[0] / 1000 for group in shares) == pytest.approx(0.5, abs=0.04)


def test_bread_searches_as_third_parties_report_it():
    """Success by the episodes given; a bisection looks for 0.2 to 0.8 and finds 5 of 10 at once."""
    search = sampled("bread")
    rates = [0, 0, 0, 0, 0.125, 0.25, 0.5, 0.75, 0.875, 1, 1]
    way = Bisection(search, 0, search.slices)
    assert [way.next(0.0), way.next(rates[5])] == [5, None]


def sampled(method):
    """Return what a method's file searches for."""
    options = load_config(None, ["training.steps=1"], method).source("rollouts")
    assert options.judges
    return Search(**options.prefix.law.model_dump(exclude={"kind"}))
