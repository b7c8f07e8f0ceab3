"""Our methods' files beside TRL's trainers, set to what each method's paper says."""

import pytest
from rollouts import ANSWERS, Rollouts

pytestmark = [
    pytest.mark.slow,  # seconds to import the peer
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what it calls
]

OBJECTIVE = "terms.preference.objective"
# method -> what the file is changed by, and what TRL calls the same. Bounds are such that some
# ratios of the rollouts, 0.3 nats off, lie beyond.
METHODS = {
    "dr_grpo": ([], {"loss_type": "dr_grpo"}),
    "dapo": ([], {"loss_type": "dapo", "clip_low": 0.2, "clip_high": 0.28}),
    "gspo": (
        [f"{OBJECTIVE}.clip_low=0.03", f"{OBJECTIVE}.clip_high=0.05"],
        {
            "loss_type": "grpo",
            "importance_sampling_level": "sequence",
            "clip_low": 0.03,
            "clip_high": 0.05,
        },
    ),
    "cispo": ([f"{OBJECTIVE}.cap=1.2"], {"loss_type": "cispo", "clip_high": 1.2}),
    # A temperature that float32 has, for TRL rounds it.
    "sapo": (
        [f"{OBJECTIVE}.tau_neg=1.0625"],
        {"loss_type": "sapo", "sapo_temperature_neg": 1.0625},
    ),
    "gmpo": ([], {"kind": "GMPO", "clip_low": 0.4, "clip_high": 0.4}),
}
AS_THEY_ARE = {
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence"}
    | {"clip_low": 3e-4, "clip_high": 4e-4},
    "cispo": {"loss_type": "cispo", "clip_high": 5.0},
}


def both(world, peer, method, overrides, options, size):
    rollouts = Rollouts(world)
    grpo = peer(rollouts, **options)
    theirs = grpo.compute_loss(world.theirs, rollouts.theirs(grpo))
    theirs.backward()
    return *rollouts.by_method(method, *overrides, size=size), theirs.item()


@pytest.mark.parametrize("size", [1, 5, len(ANSWERS)])
@pytest.mark.parametrize("method", METHODS)
def test_a_batch(world, peer, agree, method, size):
    ours, means, theirs = both(world, peer, method, *METHODS[method], size)
    agree(world, ours, theirs)
    held = {"cispo": "clipped_weight", "sapo": "gate"}.get(method, "clip_ratio")
    assert 0.05 < means[f"preference/{held}"].value < 0.995


@pytest.mark.parametrize("method", AS_THEY_ARE)
def test_the_bounds_of_the_files_themselves(world, peer, agree, method):
    ours, _, theirs = both(world, peer, method, [], AS_THEY_ARE[method], 5)
    agree(world, ours, theirs)
