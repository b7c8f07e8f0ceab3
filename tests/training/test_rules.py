"""Rules move their values as published, are pure, and stay within their bounds."""

import json
import math

import pytest
from pydantic import TypeAdapter, ValidationError

from uniapl_cli.training.controller import Controller
from uniapl_cli.training.schedules import AnyScheduleOptions, all_schedules
from uniapl_cli.training.scheduling import make_schedule

RULES = [name for name in all_schedules if all_schedules[name].traits.get("reads")]
NEEDED = {"target": {"target": 2.0, "start": 0.5}}


def controller(kind, **options) -> Controller:
    reads = {name: f"m/{name}" for name in all_schedules[kind].traits["reads"]}
    given = {"kind": kind, **reads, **NEEDED.get(kind, {}), **options}
    return make_schedule(TypeAdapter(AnyScheduleOptions).validate_python(given), 10)


def moved(one, **metrics):
    one.observe({f"m/{name}": value for name, value in metrics.items()})
    return one(0)


def test_sasrs_probability_is_the_share_of_the_gradient_beside_that_of_the_warm_up():
    one = controller("gradient_share", gamma=0.5, warmup_steps=2)
    assert one(0) == 1.0
    assert moved(one, measure=9.0) == 1.0  # the warm-up goes on
    assert moved(one, measure=1.2) == pytest.approx(1 / 1.5)
    assert moved(one, measure=0.6) == pytest.approx(0.5)  # the golden value
    assert moved(one, measure=0.0) == 0.0


def test_sasrs_probability_stays_where_no_gradient_was_measured():
    one = controller("gradient_share")
    moved(one, measure=1.0)
    value = moved(one, measure=0.5)
    assert moved(one) == moved(one, measure=math.nan) == moved(one, measure=math.inf) == value


def test_gacs_share_is_least_in_error():
    one = controller("noise_ratio", ema=0.0)
    share = moved(one, reinforcement=4.0, imitation=1.0, disagreement=3.0)
    assert share == pytest.approx(0.5)  # the golden value

    def error(mu):
        return (1 - mu) ** 2 * 4 + mu**2 * (1 + 3)

    assert all(error(share) <= error(share + d) for d in (-0.01, 0.01))


def test_gacs_share_moves_by_the_cap_at_most_and_averages_its_measures():
    one = controller("noise_ratio", ema=0.5, cap=0.1)
    assert moved(one, reinforcement=1.0, imitation=0.0, disagreement=0.0) == pytest.approx(0.6)
    free = controller("noise_ratio", ema=0.5)
    moved(free, reinforcement=2.0, imitation=1.0, disagreement=1.0)
    assert moved(free, reinforcement=0.0, imitation=1.0, disagreement=1.0) == pytest.approx(1 / 3)


def test_a_disagreement_that_chance_has_put_below_0_is_averaged_before_it_counts_as_0():
    one = controller("noise_ratio", ema=0.5)
    moved(one, reinforcement=1.0, imitation=1.0, disagreement=-2.0)
    assert one(0) == pytest.approx(0.5)
    assert moved(one, reinforcement=1.0, imitation=1.0, disagreement=6.0) == pytest.approx(0.25)


def test_descent_goes_down_the_held_out_loss_where_amfts_code_goes_up():
    lr, sft, rl, held_out = 0.01, (1.0, -0.5), (0.2, 0.4), (0.6, 0.1)

    def inner(gradient):
        return lr * sum(a * b for a, b in zip(gradient, held_out, strict=True))

    one = controller("descent", rate=0.1)
    value = moved(one, imitation=inner(sft), reinforcement=inner(rl))
    # The golden value holds the entropy's part too, 5e-4 * (1.0 - 0.8).
    assert value + 5e-4 * 0.2 == pytest.approx(0.50049, abs=1e-9)


@pytest.mark.parametrize(("raises", "sign"), [("above", 1), ("below", -1)])
def test_a_target_moves_its_coefficient_by_the_error(raises, sign):
    one = controller("target", raises=raises)
    assert moved(one, measure=2.2) == pytest.approx(0.5 * (1 + sign * 0.1 * 0.1))
    far = controller("target", raises=raises)
    assert moved(far, measure=1e9) == pytest.approx(0.5 * (1 + sign * 0.1 * 0.2))
    still = controller("target", raises=raises)
    assert moved(still, measure=2.0) == 0.5


def test_a_target_is_reached_by_what_the_coefficient_presses_down():
    one, measure = controller("target", rate=1.0), 8.0
    for _ in range(200):
        measure = 2.0 / one(0)
        moved(one, measure=measure)
    assert measure == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_goes_on_from_json_to_the_bit_and_changes_nothing_it_was_given(kind):
    names = all_schedules[kind].traits["reads"]
    steps = [{name: 0.1 + 0.37 * i + n / 7 for n, name in enumerate(names)} for i in range(6)]
    whole = controller(kind)
    values = [moved(whole, **step) for step in steps]
    first = controller(kind)
    assert [moved(first, **step) for step in steps[:3]] == values[:3]
    kept = first.state_dict()
    text = json.dumps(kept)
    second = controller(kind)
    second.load_state_dict(json.loads(text))
    assert second(3) == values[2]
    assert [moved(second, **step) for step in steps[3:]] == values[3:]
    moved(first, **steps[3])
    assert json.dumps(kept) == text


@pytest.mark.parametrize("kind", RULES)
def test_what_was_never_measured_leaves_the_start(kind):
    one = controller(kind)
    one.observe({"loss": 1.0})
    assert one(0) == one.start and one.state_dict() == {}


@pytest.mark.parametrize("kind", ["noise_ratio", "descent", "target"])
def test_bounds_that_leave_nothing_are_refused(kind):
    with pytest.raises(ValidationError, match="above high"):
        controller(kind, low=0.6, high=0.5)
