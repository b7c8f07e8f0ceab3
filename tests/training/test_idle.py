import pytest

from uniapl_cli.errors import TrainingError
from uniapl_cli.training.idle import Idle


def run_idle(norms, metrics=None, limit=3):
    idle = Idle(limit)
    for step, norm in enumerate(norms, 1):
        idle.note(step, norm, metrics or {})


def test_a_run_without_any_gradient_stops_at_the_limit():
    with pytest.raises(TrainingError, match="exactly 0 for 3 updates in a row, up to step 4"):
        run_idle([0.1, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("norms", "limit"), [([0.0, 0.0, 1e-30, 0.0, 0.0], 3), ([0.0] * 50, 0)], ids=["broken", "off"]
)
def test_a_run_goes_on(norms, limit):
    run_idle(norms, limit=limit)


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (
            {"rollouts/verifier/equal_groups": 1.0, "rollouts/verifier/mean": 0.0},
            "All rollouts to a prompt are worth the same to 'verifier' .mean reward 0.",
        ),
        ({"rollouts/truncated": 1.0}, "All of rollouts were cut off at sampling.max_new_tokens"),
        ({"rollouts/truncated": 0.2}, "no token carries a loss"),
    ],
)
def test_it_says_why_as_far_as_the_metrics_tell(metrics, reason):
    with pytest.raises(TrainingError, match=reason):
        run_idle([0.0] * 3, metrics)
