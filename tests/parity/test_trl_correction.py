"""TRL's correction for vLLM's rollouts, computed by TRL's own trainer, is our correction."""

from dataclasses import replace

import pytest
import torch
from rollouts import ANSWERS, GROUPS, Rollouts
from worlds import parameters

from uniapl_cli.objectives import corrections

pytestmark = [
    pytest.mark.slow,  # seconds to import the peer
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what it calls
    pytest.mark.parametrize("world", ["model"], indirect=True),
]

# TRL's mode and bounds -> our correction. Within these some ratios are, and some are not.
MODES = {
    ("token_truncate", 1.2, None): ("token", {"cap": 1.2}),
    ("token_truncate", 1.2, 0.8): ("token", {"cap": 1.2, "floor": 0.8}),
    ("token_mask", 1.2, 0.8): ("token", {"cap": 1.2, "floor": 0.8, "mask": True}),
    ("sequence_truncate", 1.5, None): ("sequence", {"cap": 1.5}),
    ("sequence_mask", 3.0, None): ("sequence", {"cap": 3.0, "mask": True}),
    ("sequence_mask", None, 0.5): ("sequence", {"cap": None, "floor": 0.5, "mask": True}),
}


def scored(grpo, rollouts):
    """Return TRL's batch, its learner's log-probabilities and its ratios among it."""
    grpo._last_loaded_step = grpo.state.global_step  # no weights to send: no vLLM is there
    inputs = grpo._generate_and_score_completions([{"prompt": str(g)} for g in GROUPS.tolist()])
    return {**inputs, "advantages": rollouts.advantages}


def move(policy):
    """Change the weights as an update would."""
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for _, weight in sorted(parameters(policy).items()):
            weight += 0.02 * torch.randn(weight.shape, generator=rng)


@pytest.mark.parametrize("later", [False, True], ids=["first update", "later update"])
@pytest.mark.parametrize("loss", ["dapo", "grpo"])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_loss_and_its_gradient(world, peer, agree, mode, loss, later):
    rollouts = Rollouts(world)
    named, highest, lowest = mode
    kind, options = MODES[mode]
    grpo = peer(
        rollouts,
        sampled=True,
        loss_type=loss,
        vllm_importance_sampling_mode=named,
        vllm_importance_sampling_clip_max=highest,
        vllm_importance_sampling_clip_min=lowest,
    )
    inputs = scored(grpo, rollouts)
    correction = corrections.bind(corrections.options(kind, **options))
    rollouts.batch = replace(rollouts.batch, correction=correction)
    if later:
        with torch.no_grad():
            rollouts.batch = rollouts.batch.with_start(world.ours.forward)
        move(world.ours)
        move(world.theirs)
    theirs = grpo.compute_loss(world.theirs, inputs)
    theirs.backward()
    ours, means = rollouts.ours(loss)
    agree(world, ours, theirs.item())
    assert 0.05 < means["grpo/capped_ratio"].value < 0.95
    assert (means["grpo/clip_ratio"].value > 0) == later
    if loss == "dapo":
        told = grpo._metrics["train"]
        for ending, name in (("mean", "sampler_gap"), ("max", "sampler_gap_max")):
            expected = told[f"sampling/sampling_logp_difference/{ending}"][-1]
            assert means[f"grpo/{name}"].value == pytest.approx(expected, rel=1e-4)


def test_without_it_trl_and_we_differ(world, peer):
    """TRL corrects where we do not: what is tested above is no identity."""
    rollouts = Rollouts(world)
    grpo = peer(rollouts, sampled=True, loss_type="dapo")
    theirs = grpo.compute_loss(world.theirs, scored(grpo, rollouts)).item()
    assert len(rollouts.rows) == len(ANSWERS)
    assert abs(rollouts.ours("dapo")[0] - theirs) > 1e-2 * abs(theirs)
