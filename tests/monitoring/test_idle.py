import pytest

from uniapl_cli.errors import TrainingError
from uniapl_cli.monitoring.idle import IdleCounter


def run_idle(norms, metrics=None, limit=3):
    idle = IdleCounter(limit)
    for step, norm in enumerate(norms, 1):
        idle.add(step, norm, metrics or {})


def test_a_run_without_any_gradient_stops_at_the_limit():
    with pytest.raises(TrainingError) as caught:
        run_idle([0.1, 0.0, 0.0, 0.0])
    assert caught.value.got == 3
    assert "step 4" in caught.value.problem


@pytest.mark.parametrize(
    ("norms", "limit"), [([0.0, 0.0, 1e-4, 0.0, 0.0], 3), ([0.0] * 50, 0)], ids=["broken", "off"]
)
def test_a_run_goes_on(norms, limit):
    run_idle(norms, limit=limit)


@pytest.mark.parametrize(
    ("metrics", "keys"),
    [
        (
            {"rollouts/verifier/frac_reward_zero_std": 1.0, "rollouts/verifier/mean": 0.0},
            {"'verifier'", "sources.rollouts.num_generations", "training.steps"},
        ),
        (
            {"rollouts/completions/clipped_ratio": 1.0},
            {"sampling.max_new_tokens", "sources.rollouts.mask_truncated_completions=true"},
        ),
        ({"rollouts/completions/clipped_ratio": 0.2}, {"samples.jsonl"}),
    ],
)
def test_it_says_what_to_look_at_as_far_as_the_metrics_tell(metrics, keys):
    with pytest.raises(TrainingError) as caught:
        run_idle([0.0] * 3, metrics)
    assert [key for key in keys if key not in caught.value.advice] == []


def test_what_rounding_leaves_is_no_gradient():
    with pytest.raises(TrainingError):
        run_idle([1e-7, 2e-7, 1e-7])


def test_a_small_weight_makes_a_small_gradient_that_counts():
    idle = IdleCounter(1)
    idle.add(1, 1e-7, {}, 1e-4)
    with pytest.raises(TrainingError):
        idle.add(2, 1e-11, {}, 1e-4)
