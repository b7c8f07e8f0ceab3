"""TRL's GRPOTrainer: its losses are our `surrogate` and `kl`, under one reduction or another."""

import pytest
import torch
from rollouts import ANSWERS, GROUPS, REDUCTIONS, REWARDS, Rollouts
from worlds import clear

from uniapl_cli.objectives import advantages

pytestmark = [
    pytest.mark.slow,  # seconds to import the peer
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what it calls
]

# Narrow enough that some ratios are clipped; those of whole sequences lie closer to 1.
CLIPS = {
    "token": {"clip_low": 0.15, "clip_high": 0.25},
    "sequence": {"clip_low": 0.03, "clip_high": 0.05},
}


def logged(grpo, name):
    """Return what TRL logged last under a name."""
    return grpo._metrics["train"][name][-1]


@pytest.mark.parametrize("level", CLIPS)
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("loss", REDUCTIONS)
def test_a_batch(world, peer, agree, loss, beta, level):
    rollouts = Rollouts(world)
    options = {"importance_sampling_level": level, "beta": beta, **CLIPS[level]}
    grpo = peer(rollouts, loss_type=loss, **options)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    ours, means = rollouts.ours(loss, **options)
    agree(world, ours, theirs.item())
    assert min(logged(grpo, f"clip_ratio/{side}_mean") for side in ("low", "high")) > 0.05
    if level == "token":  # TRL counts sequences where we count their tokens
        cut = logged(grpo, "clip_ratio/region_mean")
        assert means["grpo/clip_ratio"].value == pytest.approx(cut, rel=1e-6)
    if beta and loss in ("dapo", "bnpo"):
        assert means["kl"].value == pytest.approx(logged(grpo, "kl"), rel=1e-5)


def test_the_divergence_corrected_for_older_tokens(world, peer, agree):
    """DeepSeek-V3.2's KL, TRL's default."""
    rollouts = Rollouts(world)
    grpo = peer(rollouts, loss_type="dapo", beta=0.4, use_bias_correction_kl=True)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    agree(world, rollouts.ours("dapo", beta=0.4, corrected=True)[0], theirs.item())


@pytest.mark.parametrize("delta", [1.3, 1.6])
@pytest.mark.parametrize("level", CLIPS)
def test_two_sided_clipping_is_the_dual_clip(world, peer, agree, level, delta):
    """TRL holds the ratio itself below delta, we hold the gain of A < 0 above delta A.

    With delta above 1 + clip_high: where the ratio is below delta neither does anything. Where it
    is above and A < 0, the smaller of delta A and clip(ratio) A is delta A, which is also our bound
    of ratio A. Where it is above and A > 0, both have clipped it to (1 + clip_high) A before.
    """
    rollouts = Rollouts(world)
    options = {"importance_sampling_level": level, **CLIPS[level]}
    grpo = peer(rollouts, loss_type="dapo", delta=delta, **options)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    without, _ = rollouts.ours("dapo", **options)
    ours, _ = rollouts.ours("dapo", dual_clip=delta, **options)
    agree(world, ours, theirs.item())
    assert ours < without - 1e-4, "no ratio is above delta where A < 0"


@pytest.mark.parametrize("world", ["model"], indirect=True)
def test_a_temperature_divides_the_logits(world, peer, agree):
    rollouts = Rollouts(world, temperature=0.7)
    options = {"beta": 0.04, **CLIPS["token"]}
    grpo = peer(rollouts, loss_type="grpo", temperature=0.7, **options)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    agree(world, rollouts.ours("grpo", **options)[0], theirs.item())


@pytest.mark.parametrize("size", [1, 3, 5, len(ANSWERS)])
@pytest.mark.parametrize("loss", REDUCTIONS)
def test_our_micro_batches_are_trls_whole_batch(world, peer, agree, loss, size):
    rollouts = Rollouts(world)
    grpo = peer(rollouts, loss_type=loss, beta=0.04)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    agree(world, rollouts.ours(loss, beta=0.04, size=size)[0], theirs.item())


# Not bnpo, which divides each micro-batch by its own tokens: there TRL's step depends on the split.
@pytest.mark.parametrize("loss", ["dapo", "grpo", "dr_grpo"])
def test_trls_gradient_accumulation_is_our_step(world, peer, agree, loss):
    rollouts, parts = Rollouts(world), 3
    grpo = peer(
        rollouts,
        loss_type=loss,
        beta=0.04,
        per_device_train_batch_size=len(ANSWERS) // parts,
        gradient_accumulation_steps=parts,
    )
    inputs = rollouts.theirs(grpo)
    rows = torch.tensor([7, 0, 11, 4, 2, 9, 1, 10, 3, 6, 8, 5]).chunk(parts)
    losses = [
        grpo.compute_loss(world.theirs, {k: v[part] if v.dim() else v for k, v in inputs.items()})
        for part in rows
    ]
    clear(world.theirs)
    sum(losses).backward()
    agree(world, rollouts.ours(loss, beta=0.04)[0], sum(losses).item())


@pytest.mark.parametrize("world", ["model"], indirect=True)
@pytest.mark.parametrize(
    ("scale", "name"), [("group", "group"), ("batch", "batch"), ("none", "centred")]
)
def test_the_advantages(world, peer, scale, name):
    """From TRL's own scoring of the rollouts; it keeps rewards in float32."""
    grpo = peer(Rollouts(world), scale_rewards=scale)
    scored = grpo._generate_and_score_completions([{"prompt": str(g)} for g in GROUPS.tolist()])
    ours = advantages[name].definition(torch.tensor(REWARDS, dtype=torch.float64), GROUPS)
    assert scored["advantages"].abs().max() > 0.5
    assert torch.allclose(scored["advantages"].double(), ours, rtol=1e-5, atol=1e-7)
