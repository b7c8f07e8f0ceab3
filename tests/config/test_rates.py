"""What schedules may name: other schedules, but not themselves, and metrics that a run logs."""

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.errors import ConfigError

GRPO = ["training.steps=8", "terms.preference.weight=side"]


def loaded(*overrides):
    return load_config(None, [*GRPO, *overrides], "grpo")


@pytest.mark.parametrize(
    ("overrides", "key", "got"),
    [
        (["schedules.side={kind: coin, p: 1 - lean}"], "schedules.side.p", "lean"),
        (["schedules.side={kind: coin, p: side}"], "schedules.side.p", "side"),
        (
            ["schedules.side={kind: coin, p: b}", "schedules.b={kind: coin, p: 1 - side}"],
            "schedules.side.p",
            "b",
        ),
        (
            ["schedules.side={kind: gradient_share, measure: gradients/imitation}"],
            "schedules.side.measure",
            "imitation",
        ),
        (
            ["schedules.side={kind: gradient_share, measure: seconds/update}"],
            "schedules.side.measure",
            "seconds/update",
        ),
        (
            ["schedules.side={kind: gradient_share, measure: entropy/mean}"],
            "schedules.side.measure",
            "entropy",
        ),
    ],
)
def test_what_a_schedule_cannot_follow_is_refused(overrides, key, got):
    with pytest.raises(ConfigError) as caught:
        loaded(*overrides)
    assert (caught.value.key, caught.value.got) == (key, got)


def test_a_probability_beyond_1_is_refused_where_its_schedule_stands():
    config = loaded("schedules.side={kind: coin, p: 1 + beta_kl}")
    with pytest.raises(ConfigError) as caught:
        plan(config)
    assert caught.value.key == "schedules.side"


def test_a_schedule_that_only_a_coin_names_is_in_use():
    config = loaded("schedules.side={kind: coin, p: 1 - keep}", "schedules.keep=0.25")
    assert set(config.schedules) == {"side", "keep", "beta_kl"}


def test_what_is_unforeseen_may_be_active_at_any_step_unless_something_else_forbids():
    never = "terms.preference.weight=side * beta_kl"
    tossed = "schedules.side={kind: coin, p: 0}"
    names = [term.name for term in plan(loaded(tossed)).ever_active]
    assert names == ["preference", "kl"]
    fed = "schedules.side={kind: gradient_share, measure: loss, start: 0}"
    assert [t.name for t in plan(loaded(fed)).ever_active] == names
    away = loaded(
        tossed, never, "schedules.beta_kl=0", "terms.more={source: rollouts, objective: kl}"
    )
    assert [t.name for t in plan(away).ever_active] == ["more"]
