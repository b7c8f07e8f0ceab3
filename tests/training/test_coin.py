"""A coin has no state: seed, name and step decide it, and other schedules how likely it is."""

from statistics import fmean

import pytest
from pydantic import TypeAdapter

from uniapl_cli.errors import ConfigError
from uniapl_cli.training.schedules import AnyScheduleOptions
from uniapl_cli.training.scheduling import make_schedules


def coins(seed=0, length=4000, **options):
    adapter = TypeAdapter(dict[str, AnyScheduleOptions])
    return make_schedules(adapter.validate_python(options), length, seed)


@pytest.mark.parametrize("p", [0.2, "1 - keep", 0, 1])
def test_a_coin_comes_up_as_often_as_its_probability(p):
    made = coins(keep=0.8, side={"kind": "coin", "p": p})
    tosses = [made["side"](step) for step in range(4000)]
    expected = 0.2 if p == "1 - keep" else p
    assert set(tosses) <= {0.0, 1.0}
    assert abs(fmean(tosses) - expected) <= 4 * (expected * (1 - expected) / 4000) ** 0.5


def test_seed_name_and_step_decide_a_coin_and_nothing_else_does():
    fair = {"kind": "coin", "p": 0.5}

    def tosses(name, seed=0, **others):
        made = coins(seed, **{name: fair}, **others)
        return [made[name](step) for step in range(64)]

    assert tosses("a") == tosses("a", b=fair, c=1.0)
    assert tosses("a") != tosses("b") and tosses("a") != tosses("a", seed=1)
    backwards = coins(a=fair)["a"]
    assert tosses("a") == [backwards(step) for step in reversed(range(64))][::-1]


def test_a_likelier_coin_comes_up_wherever_a_less_likely_one_does():
    low, high = (coins(a={"kind": "coin", "p": p})["a"] for p in (0.3, 0.6))
    assert all(low(step) <= high(step) for step in range(500))
    assert any(low(step) < high(step) for step in range(500))


def test_a_coins_probability_may_move_with_the_step():
    fall = {"kind": "linear", "start": 1.0, "end": 0.0}
    made = coins(fall=fall, side={"kind": "coin", "p": "fall"})
    early, late = ([made["side"](s) for s in steps] for steps in (range(400), range(3600, 4000)))
    assert fmean(early) > 0.9 and fmean(late) < 0.1


@pytest.mark.parametrize("p", [1.5, -0.1, "1 + keep"])
def test_what_is_no_probability_is_refused(p):
    made = coins(keep=0.5, side={"kind": "coin", "p": p})
    with pytest.raises(ConfigError, match="a probability is in 0 to 1"):
        made["side"](0)
