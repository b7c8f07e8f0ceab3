import math

import pytest

from uniapl_cli.training.health import GONE, Health
from uniapl_cli.training.sickness import Facts, sicknesses

STEPS = 60


def healthy(step: int) -> dict[str, float]:
    """A step of a run that learns, a little differently each time, as a real one would."""
    wave = math.sin(step)
    return {
        "loss": 0.02 * wave,
        "imitation": 0.6 - 0.001 * step,
        "preference": 0.2 + 0.02 * wave,
        "preference/clipped": 0.02,
        "preference/sampler_gap": 1e-3,
        "kl": 0.01 * step,
        "grad_norm": 0.3 + 0.2 * wave,
        "lr": 1e-6,
        "demonstrations/length": 200.0,
        "rollouts/length": 180 + 20 * wave,
        "rollouts/truncated": 0.05,
        "rollouts/entropy": 0.4 + 0.1 * wave,
        "rollouts/verifier/mean": 0.3 + 0.005 * step,
        "rollouts/verifier/std": 0.5,
        "rollouts/verifier/equal_groups": 0.5 + 0.35 * wave,
        "rollouts/anchor/mean": 0.2,
        "rollouts/anchor/equal_groups": 0.0,
    }


def new_health(**facts) -> Health:
    usual = {
        "surrogate_terms": {"preference": "verifier", "adversarial": "anchor"},
        "contrasting": ["verifier"],
        "kl_terms": ["kl"],
        "nll_terms": ["imitation"],
        "max_new_tokens": 256,
        "max_grad_norm": 1.0,
    }
    return Health(Facts(**usual | facts))


def told(change, *, steps=STEPS, **facts) -> list[str]:
    """What is told of a healthy run to each step of which `change` gives other metrics."""
    health = new_health(**facts)
    return [
        line
        for step in range(1, steps + 1)
        for line in health.examine(step, {**healthy(step), **change(step)})
    ]


def constant(**metrics):
    """A change that is the same at every step; `_` stands for the slash."""
    return lambda step: {name.replace("__", "/"): value for name, value in metrics.items()}


def later(name, value, since=30):
    """A change of one metric from a step on."""
    return lambda step: {name: value} if step >= since else {}


# Each sickness: how it shows, and the figures, names and keys that the line must hold.
SICK = {
    "equal_rewards": (
        constant(rollouts__verifier__equal_groups=1.0, rollouts__verifier__mean=0.0),
        [
            *("'verifier'", "100%", "data.prompts", "sources.rollouts.num_generations"),
            "rewards.verifier.zero_variance=resample",
        ],
    ),
    "truncated": (
        constant(rollouts__truncated=0.9),
        ["90%", "rollouts", "256", "sampling.max_new_tokens=512"],
    ),
    "kl": (lambda step: {"kl": 0.1 * step}, ["'kl'", "optim.lr", "terms.kl.weight"]),
    "kl, at once": (later("kl", 1.7), ["1.7", "optim.lr"]),
    "length, up": (later("rollouts/length", 900.0), ["900", "`overlong`", "optim.lr"]),
    "length, down": (
        later("rollouts/length", 9.0),
        [" 9 tokens", "rewards.anchor.advantage=centred"],
    ),
    "entropy, down": (later("rollouts/entropy", 0.005), ["0.005", "sampling.temperature=1"]),
    "entropy, up": (later("rollouts/entropy", 3.0), ["3 nats", "optim.lr"]),
    "nll": (
        later("imitation", 4.0, since=3),
        ["'imitation'", "4 nats", "0.599", "optim.lr.warmup_steps"],
    ),
    "sampler_gap": (
        constant(preference__sampler_gap=0.4),
        ["'preference'", "0.4", "generation.kind=local", "model.dtype=float32"],
    ),
    "clipped": (
        constant(preference__clipped=0.5),
        ["50%", "training.num_iterations", "terms.preference.objective.clip_high"],
    ),
    "always_clipped": (
        lambda step: {"grad_norm": 40.0 + step % 7},
        ["50 steps", "training.max_grad_norm 1", "optim.lr"],
    ),
    "spike": (
        lambda step: {"grad_norm": 25.0} if step == 40 else {},
        ["25", "optim.lr", "training.max_grad_norm"],
    ),
}


def test_every_sickness_is_tried():
    assert {name.partition(",")[0] for name in SICK} == set(sicknesses)


def test_nothing_is_said_of_a_healthy_run():
    assert told(lambda step: {}) == []


@pytest.mark.parametrize("name", SICK)
def test_a_sickness_is_told_once_with_figures_and_what_to_type(name):
    change, parts = SICK[name]
    (line,) = told(change)
    assert line.startswith("warning: step ")
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize("name", set(SICK) - {"spike"})
def test_one_batch_alone_makes_no_sickness(name):
    change, _ = SICK[name]
    odd = change(STEPS // 2)
    lines = told(lambda step: odd if step == STEPS // 2 else {})
    assert len(lines) == (name == "always_clipped")  # which is a spike then


def test_the_step_is_named():
    (line,) = told(later("rollouts/truncated", 1.0, since=30))
    assert "step 32:" in line and "100% of rollouts" in line


@pytest.mark.parametrize(("pause", "times"), [(GONE - 3, 1), (GONE + 3, 2)])
def test_a_sickness_is_told_again_only_after_it_was_gone(pause, times):
    def change(step):
        return {"rollouts/truncated": 0.0 if 20 <= step < 20 + pause else 1.0}

    assert len(told(change)) == times


def test_each_source_is_told_of_on_its_own():
    lines = told(constant(rollouts__truncated=1.0, demonstration_rollouts__truncated=0.8))
    assert len(lines) == 2
    for share in ("100% of rollouts", "80% of demonstration_rollouts"):
        assert any(share in line for line in lines)


def test_equal_values_are_no_fault_where_nothing_is_held_against_each_other():
    assert told(constant(rollouts__anchor__equal_groups=1.0)) == []
    assert len(told(constant(rollouts__anchor__equal_groups=1.0), contrasting=["anchor"])) == 1


def test_iterations_part_the_policy_from_its_sampler():
    assert told(constant(preference__sampler_gap=0.4), num_iterations=4) == []
    (line,) = told(constant(preference__sampler_gap=1.5), num_iterations=4)
    assert "training.num_iterations=1" in line


def test_learning_to_stop_is_no_collapse_of_length():
    """The first ten steps ramble up to max_new_tokens; then responses end."""

    def change(step):
        rambling = step <= 10
        return {
            "rollouts/length": 256.0 if rambling else 40.0,
            "rollouts/truncated": 0.9 if rambling else 0.0,
            "demonstrations/length": 256.0,
        }

    (line,) = told(change)
    assert "sampling.max_new_tokens" in line


def test_growing_towards_the_demonstrations_is_no_fault():
    def change(step):
        return {"demonstrations/length": 900.0, "rollouts/length": 180.0 + 12 * step}

    assert told(change) == []


def test_a_metric_that_comes_and_goes_is_judged_where_it_is():
    def change(step):
        return {"late_rollouts/truncated": 1.0} if step % 10 == 0 else {}

    (line,) = told(change)
    assert "step 30:" in line


def test_gradients_of_zero_make_no_spike_of_the_next():
    assert told(lambda step: {"grad_norm": 1.5 if step % 3 == 0 else 0.0}) == []
