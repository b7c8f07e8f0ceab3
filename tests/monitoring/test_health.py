import math

import pytest

from uniapl_cli.monitoring.check import RunFacts, health_checks
from uniapl_cli.monitoring.health import GONE, Health

STEPS = 60
LENGTH = "rollouts/completions/mean_length"
DEMONSTRATED = "demonstrations/completions/mean_length"
CLIPPED = "rollouts/completions/clipped_ratio"
EQUAL = "rollouts/verifier/frac_reward_zero_std"
EQUAL_ANCHOR = "rollouts/anchor/frac_reward_zero_std"


def healthy(step: int) -> dict[str, float]:
    """A step of a run that learns, a little differently each time, as a real one would."""
    wave = math.sin(step)
    return {
        "loss": 0.02 * wave,
        "imitation": 0.6 - 0.001 * step,
        "preference": 0.2 + 0.02 * wave,
        "preference/clip_ratio": 0.02,
        "preference/sampler_gap": 1e-3,
        "kl/kl": 0.01 * step,
        "gradients/kl": 9.0,
        "grad_norm": 0.3 + 0.2 * wave,
        "lr": 1e-6,
        DEMONSTRATED: 200.0,
        LENGTH: 180 + 20 * wave,
        CLIPPED: 0.05,
        "rollouts/entropy": 0.4 + 0.1 * wave,
        "rollouts/verifier/mean": 0.3 + 0.005 * step,
        "rollouts/verifier/std": 0.5,
        EQUAL: 0.5 + 0.35 * wave,
        "rollouts/anchor/mean": 0.2,
        EQUAL_ANCHOR: 0.0,
    }


def new_health(**run) -> Health:
    usual = {
        "surrogate_terms": {"preference": "verifier", "adversarial": "anchor"},
        "contrasting": ["verifier"],
        "kl_terms": ["kl"],
        "nll_terms": ["imitation"],
        "max_new_tokens": 256,
        "max_grad_norm": 1.0,
        "temperature": 0.7,
        "resampling": ["rollouts"],
        "sampler": ["precision=float32"],
        "corrected": {"adversarial": "sources.rollouts.correction=sequence"},
    }
    return Health(RunFacts(**usual | run))


def warnings(change, *, steps=STEPS, **run) -> list[str]:
    """The warnings about a healthy run, each step of which `change` gives other metrics."""
    health = new_health(**run)
    return [
        line
        for step in range(1, steps + 1)
        for line in health.examine(step, {**healthy(step), **change(step)})
    ]


def constant(metrics):
    """A change that is the same at every step."""
    return lambda step: metrics


def later(name, value, since=30):
    """A change of one metric from a step on."""
    return lambda step: {name: value} if step >= since else {}


# Each health check: metrics that fail it, and the numbers, names and keys that its warning holds.
FAILING = {
    "equal_rewards": (
        constant({EQUAL: 1.0, "rollouts/verifier/mean": 0.0}),
        [
            *("'verifier'", "100%", "data.prompts", "sources.rollouts.num_generations"),
            "rewards.verifier.zero_variance=resample",
        ],
    ),
    "truncated": (
        constant({CLIPPED: 0.9}),
        ["90%", "rollouts", "256", "sampling.max_new_tokens=512"],
    ),
    "kl": (lambda step: {"kl/kl": 0.1 * step}, ["'kl/kl'", "optim.lr", "terms.kl.weight"]),
    "kl, at once": (later("kl/kl", 1.7), ["1.7", "optim.lr"]),
    "length, up": (later(LENGTH, 900.0), ["900", "`overlong`", "optim.lr"]),
    "length, down": (
        later(LENGTH, 9.0),
        [" 9 tokens", "rewards.anchor.advantage=centred"],
    ),
    "entropy, down": (later("rollouts/entropy", 0.005), ["0.005", "sampling.temperature=1"]),
    "entropy, up": (later("rollouts/entropy", 3.0), ["3 nats", "optim.lr"]),
    "nll": (
        later("imitation", 4.0, since=3),
        ["'imitation'", "4 nats", "0.599", "optim.lr.warmup_steps"],
    ),
    "sampler_gap": (
        constant({"preference/sampler_gap": 0.4}),
        ["'preference'", "0.4", "precision=float32"],
    ),
    "effective_sample_size": (
        constant({"adversarial/effective_sample_size": 0.3}),
        ["'adversarial'", "30%", "sources.rollouts.correction=token", "precision=float32"],
    ),
    "clipped": (
        constant({"preference/clip_ratio": 0.5}),
        ["50%", "terms.preference.objective.clip_high"],
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


def test_every_check_is_tried():
    tried = {name.partition(",")[0] for name in FAILING} | {"overoptimised"}  # below
    assert tried == set(health_checks)


def test_a_healthy_run_has_no_warnings():
    assert warnings(lambda step: {}) == []


@pytest.mark.parametrize("name", FAILING)
def test_a_check_warns_once_with_figures_and_what_to_type(name):
    change, parts = FAILING[name]
    (line,) = warnings(change)
    assert line.startswith("warning: step ")
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize("name", [name for name in FAILING if name != "spike"])
def test_one_batch_alone_fails_no_check(name):
    change, _ = FAILING[name]
    odd = change(STEPS // 2)
    lines = warnings(lambda step: odd if step == STEPS // 2 else {})
    assert len(lines) == (name == "always_clipped")  # which is a spike then


def test_the_step_is_named():
    (line,) = warnings(later(CLIPPED, 1.0, since=30))
    assert "step 32:" in line and "100% of rollouts" in line


@pytest.mark.parametrize(("pause", "times"), [(GONE - 3, 1), (GONE + 3, 2)])
def test_a_check_warns_again_only_after_it_passed(pause, times):
    def change(step):
        return {CLIPPED: 0.0 if 20 <= step < 20 + pause else 1.0}

    assert len(warnings(change)) == times


def test_each_source_has_its_own_warning():
    lines = warnings(
        constant({CLIPPED: 1.0, "demonstration_rollouts/completions/clipped_ratio": 0.8})
    )
    assert len(lines) == 2
    for share in ("100% of rollouts", "80% of demonstration_rollouts"):
        assert any(share in line for line in lines)


def test_equal_rewards_are_no_fault_where_rollouts_are_not_compared():
    assert warnings(constant({EQUAL_ANCHOR: 1.0})) == []
    assert len(warnings(constant({EQUAL_ANCHOR: 1.0}), contrasting=["anchor"])) == 1


def test_iterations_part_the_policy_from_its_sampler():
    assert warnings(constant({"preference/sampler_gap": 0.4}), num_iterations=4) == []
    sampler = ["training.num_iterations=1"]
    (line,) = warnings(constant({"preference/sampler_gap": 1.5}), num_iterations=4, sampler=sampler)
    assert "training.num_iterations=1" in line


def test_a_corrected_gap_is_the_samplers_alone_however_many_updates():
    corrected = {"preference": "sources.rollouts.correction=token"}
    wide = constant({"preference/sampler_gap": 0.4})
    (line,) = warnings(wide, num_iterations=4, corrected=corrected)
    assert "sources.rollouts.correction" in line


def test_only_of_what_is_corrected_the_sample_size_is_looked_at():
    few = constant({"adversarial/effective_sample_size": 0.1})
    assert warnings(few, corrected={"preference": "sources.rollouts.correction=token"}) == []
    (line,) = warnings(few, corrected={"adversarial": "sources.rollouts.correction=token"})
    assert "=token" not in line


def test_learning_to_stop_is_no_collapse_of_length():
    """The first ten steps ramble up to max_new_tokens; then responses end."""

    def change(step):
        rambling = step <= 10
        return {
            LENGTH: 256.0 if rambling else 40.0,
            CLIPPED: 0.9 if rambling else 0.0,
            DEMONSTRATED: 256.0,
        }

    (line,) = warnings(change)
    assert "sampling.max_new_tokens" in line


def test_growing_towards_the_demonstrations_is_no_fault():
    def change(step):
        return {DEMONSTRATED: 900.0, LENGTH: 180.0 + 12 * step}

    assert warnings(change) == []


def test_a_metric_that_comes_and_goes_is_judged_where_it_is():
    def change(step):
        return {"late_rollouts/completions/clipped_ratio": 1.0} if step % 10 == 0 else {}

    (line,) = warnings(change)
    assert "step 30:" in line


def test_gradients_of_zero_make_no_spike_of_the_next():
    assert warnings(lambda step: {"grad_norm": 1.5 if step % 3 == 0 else 0.0}) == []


def validated_run(accuracy, reward, watched="prompts/prompt_strict"):
    """The warnings of a run of ten steps a validation, with these values at the validations."""
    health = new_health(watched=watched)
    lines, health_of = [], lambda step, value: {**healthy(step), "rollouts/verifier/mean": value}
    for number, (measured, value) in enumerate(zip(accuracy, reward, strict=True)):
        health.validated({"prompts/prompt_strict": measured})
        for step in range(10 * number + 1, 10 * number + 11):
            lines += health.examine(step, health_of(step, value))
    return [line for line in lines if "validations" in line]


RISING = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_a_reward_that_rises_while_held_out_rows_get_worse():
    [line] = validated_run([0.6, 0.58, 0.5, 0.4, 0.3, 0.2], RISING)
    assert "step 41:" in line and "verifier" in line


@pytest.mark.parametrize(
    ("accuracy", "reward", "watched"),
    [
        ([0.6, 0.58, 0.5, 0.51, 0.3, 0.2], RISING, "prompts/prompt_strict"),
        ([0.6, 0.58, 0.5, 0.4, 0.3, 0.2], RISING[::-1], "prompts/prompt_strict"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], RISING, "prompts/prompt_strict"),
        ([0.6, 0.58, 0.5, 0.4, 0.3, 0.2], RISING, ""),
    ],
)
def test_one_that_does_not_is_no_trouble(accuracy, reward, watched):
    assert validated_run(accuracy, reward, watched) == []


def test_a_replay_warns_as_the_run_did():
    accuracy = [0.6, 0.58, 0.5, 0.4, 0.3, 0.2]
    steps = range(1, 61)
    logged = [
        {**healthy(s), "step": s, "rollouts/verifier/mean": RISING[(s - 1) // 10]} for s in steps
    ]
    validated = [
        {"step": 10 * n, "prompts/prompt_strict": value} for n, value in enumerate(accuracy)
    ]
    lines = new_health(watched="prompts/prompt_strict").replay(logged, validated)
    assert [line for line in lines if "validations" in line] == validated_run(accuracy, RISING)
