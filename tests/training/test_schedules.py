"""Numbers over steps as published, and weights that are arithmetic and nothing else."""

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from uniapl_cli.errors import ConfigError
from uniapl_cli.formulas import Formula
from uniapl_cli.training.schedules import AnyScheduleOptions, all_schedules, schedules
from uniapl_cli.training.scheduling import (
    EVERY,
    depends_on_steps,
    known_corners,
    make_schedule,
    telling_steps,
    unforeseen,
)

STEPS = [0, 1, 20, 50, 100, 199, 200, 300, 400, 599, 600]
# (warmup_steps, decay_steps, peak, valley) -> mu at STEPS, CHORD's formula to six digits.
GOLDEN_MU = {
    (200, 400, 0.5, 0.02): [
        *(0, 0.0025, 0.05, 0.125, 0.25, 0.4975),
        *(0.5, 0.429706, 0.26, 0.020007, 0.02),
    ],
    (0, 200, 0.9, 0.05): [0.9, 0.899948, 0.879199, 0.77552, 0.475, 0.050052] + [0.05] * 5,
    (0, 0, 0.1, 0.1): [0.1] * 11,
    (0, 20, 0.6, 0.0): [0.6, 0.596307] + [0.0] * 9,
}


def schedule(options, steps=10):
    """Make a schedule of what a config holds: a number, or a mapping with its kind."""
    return make_schedule(schedule_options(options), steps)


def schedule_options(options):
    return TypeAdapter(AnyScheduleOptions).validate_python(options)


@pytest.mark.parametrize(("options", "golden"), list(GOLDEN_MU.items()))
def test_mu_is_as_published(options, golden):
    names = ("warmup_steps", "decay_steps", "peak", "valley")
    mu = schedule({"kind": "warmup_decay", **dict(zip(names, options, strict=True))})
    assert [mu(step) for step in STEPS] == pytest.approx(golden, abs=5e-7)


def test_without_warm_up_and_decay_mu_is_its_valley():
    options = {"kind": "warmup_decay", "warmup_steps": 0, "decay_steps": 0, "valley": 0.2}
    assert schedule({**options, "peak": 0.2})(0) == 0.2


@pytest.mark.parametrize("options", [0.3, 3, {"kind": "constant", "value": 0.3}])
def test_a_constant_stays(options):
    value_at = schedule(options)
    assert value_at(0) == value_at(9) == value_at(1000) == (0.3 if options != 3 else 3)


def test_a_line_goes_from_its_start_at_the_first_step_to_its_end_at_the_last():
    value_at = schedule({"kind": "linear", "start": 1.0, "end": 0.0}, 5)
    assert [value_at(step) for step in range(7)] == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0])


def test_a_line_of_one_step_is_its_start():
    assert schedule({"kind": "linear", "start": 1.0, "end": 0.0}, 1)(0) == 1.0


def test_a_cosine_rises_in_a_line_and_falls_along_half_a_wave():
    value_at = schedule({"kind": "cosine", "peak": 4.0, "end": 2.0, "warmup_steps": 4}, 12)
    assert [value_at(step) for step in range(5)] == pytest.approx([1, 2, 3, 4, 4])
    assert value_at(8) == pytest.approx(3)
    assert value_at(12) == value_at(99) == pytest.approx(2)
    assert all(value_at(step) > value_at(step + 1) for step in range(4, 12))


UFT = {"kind": "cosine", "peak": 0.95, "end": 0.05, "steps": 300, "after": 0.0}
# Its values at 0, 75, 150, 225, 300 and 301, from the formula of the authors' code.
UFT_HINT = [0.95, 0.818198051534, 0.5, 0.181801948466, 0.05, 0.0]


@pytest.mark.parametrize("length", [100, 300, 500])
def test_ufts_hint_is_a_cosine_of_its_own_length_and_then_nothing(length):
    hint = schedule(UFT, length)
    golden = pytest.approx(UFT_HINT, abs=1e-11)
    assert [hint(step) for step in (0, 75, 150, 225, 300, 301)] == golden


def test_prefix_rfts_bound_is_a_cosine_of_its_own_length_that_stays():
    bound = schedule({**UFT, "steps": 400, "after": None}, 1000)
    golden = [*(0.95, 0.818198051534, 0.5, 0.181801948466, 0.05), 0.05]
    found = [bound(step) for step in (0, 100, 200, 300, 400, 401)]
    assert found == pytest.approx(golden, abs=1e-11)


def test_a_line_of_its_own_length_has_its_value_after_it():
    line = schedule({"kind": "linear", "start": 1.0, "end": 0.5, "steps": 3, "after": 4.0}, 10)
    assert [line(step) for step in range(5)] == [1.0, 0.75, 0.5, 4.0, 4.0]


def test_pieces_hold_from_their_places_on():
    at_steps = schedule({"kind": "piecewise", "values": [1.0, 0.5, 0.0], "at": [2.0, 3.0]}, 10)
    assert [at_steps(step) for step in range(5)] == [1, 1, 0.5, 0, 0]
    by_share = schedule({"kind": "piecewise", "values": [1.0, 0.0], "at": [0.25]}, 10)
    assert [by_share(step) for step in range(5)] == [1, 1, 1, 0, 0]
    assert schedule({"kind": "piecewise", "values": [3.0], "at": []}, 10)(7) == 3


@pytest.mark.parametrize("name", [*schedules, "coin"])
def test_every_schedule_gives_finite_numbers_at_every_step(name):
    numbers = {"warmup_steps": 3, "decay_steps": 4, "steps": 9, "p": "0.5", "values": [0.5, 0.2]}
    numbers["at"] = [0.5]
    value_at = schedule(
        {"kind": name, **{n: numbers.get(n, 0.5) for n in all_schedules[name].takes()}}
    )
    assert all(0 <= value_at(step) <= (1 if name == "coin" else 0.5) for step in range(20))


WRONG = {
    "text": ("fast", ()),
    "a truth": (True, ()),
    "null": (None, ()),
    "no kind": ({"peak": 1}, ()),
    "an unknown kind": ({"kind": "cosin"}, ()),
    "an option that is missing": ({"kind": "cosine"}, ("cosine", "peak")),
    "an option of another type": ({"kind": "cosine", "peak": "high"}, ("cosine", "peak")),
    "an infinite number": (math.inf, ("constant", "value")),
    "no number": (math.nan, ("constant", "value")),
    "a warm-up below 0": (
        {"kind": "cosine", "peak": 1, "warmup_steps": -1},
        ("cosine", "warmup_steps"),
    ),
    "what the program supplies": ({"kind": "cosine", "peak": 1, "length": 5}, ("cosine", "length")),
    "a value after the run": ({"kind": "cosine", "peak": 1, "after": 0}, ("cosine",)),
    "an end in the warm-up": (
        {"kind": "cosine", "peak": 1, "warmup_steps": 5, "steps": 5},
        ("cosine",),
    ),
    "too few pieces": ({"kind": "piecewise", "values": [1, 0], "at": []}, ("piecewise",)),
    "pieces at one place": (
        {"kind": "piecewise", "values": [1, 0, 1], "at": [3, 3]},
        ("piecewise",),
    ),
    "pieces at steps and shares": (
        {"kind": "piecewise", "values": [1, 0, 1], "at": [0.5, 3]},
        ("piecewise",),
    ),
    "a piece between steps": ({"kind": "piecewise", "values": [1, 0], "at": [1.5]}, ("piecewise",)),
    "a probability that is no arithmetic": ({"kind": "coin", "p": "0.5 +"}, ("coin", "p")),
    "an unknown option": ({"kind": "linear", "start": 1, "end": 0, "edn": 1}, ("linear", "edn")),
    "a peak that is never reached": (
        {"kind": "warmup_decay", "warmup_steps": 0, "decay_steps": 0, "valley": 0.2, "peak": 1},
        ("warmup_decay",),
    ),
}


@pytest.mark.parametrize(("options", "where"), WRONG.values(), ids=WRONG)
def test_what_is_no_schedule_is_refused(options, where):
    with pytest.raises(ValidationError) as caught:
        schedule(options)
    assert [error["loc"] for error in caught.value.errors()] == [where]


SCALES = {"alpha": 0.25, "lambda_adv": 0.001, "beta": 4.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("alpha", 0.25),
        ("1 - alpha", 0.75),
        ("(1 - alpha) * lambda_adv", 0.00075),
        ("1 - alpha * beta", 0.0),
        ("beta / alpha / 2", 8.0),
        ("-alpha + +1e-1", -0.15),
        ("beta - 1 - 1", 2.0),
    ],
)
def test_a_weight_is_arithmetic_over_the_schedules(text, value):
    assert Formula(text)(SCALES) == pytest.approx(value)


# What is no arithmetic, and the part of it that is not allowed.
REFUSED = {
    "a call": ("abs(alpha)", "abs(alpha)"),
    "a call deep inside": ("1 - (alpha * round(1, 2))", "round(1, 2)"),
    "a function with too few arguments": ("max(1)", "max(1)"),
    "an attribute": ("alpha.real", "alpha.real"),
    "an import": ("__import__('os').system('true')", "__import__('os').system('true')"),
    "a subscript": ("alpha[0]", "alpha[0]"),
    "text": ("'alpha'", "'alpha'"),
    "a truth": ("True", "True"),
    "an imaginary number": ("1j", "1j"),
    "an infinite number": ("1e999", "1e309"),
    "a remainder": ("alpha % 2", "alpha % 2"),
    "a bit flip": ("~1", "~1"),
    "a comparison": ("alpha < 1", "alpha < 1"),
    "a choice": ("1 if alpha else 2", "1 if alpha else 2"),
    "a function": ("lambda: 1", "lambda: 1"),
    "a list": ("[1]", "[1]"),
    "an assignment": ("alpha = 1", ""),
    "a statement": ("import os", ""),
    "an open bracket": ("(1 - alpha", ""),
    "nothing": ("", ""),
    "a zero byte": ("1\0", ""),
}


@pytest.mark.parametrize(("text", "part"), REFUSED.values(), ids=REFUSED)
def test_a_weight_is_nothing_but_arithmetic(text, part):
    with pytest.raises(ValueError) as caught:
        Formula(text)
    assert part in str(caught.value)


def test_a_weight_of_an_unknown_schedule_is_refused():
    with pytest.raises(ConfigError) as caught:
        Formula("1 - alhpa").check(dict.fromkeys(SCALES, "number"), "schedule")
    assert (caught.value.got, caught.value.suggestion) == ("alhpa", "alpha")
    assert caught.value.allowed == tuple(sorted(SCALES))


def test_a_division_by_zero_is_named():
    with pytest.raises(ConfigError) as caught:
        Formula("1 / alpha")({**SCALES, "alpha": 0.0})
    assert caught.value.got == "1 / alpha"


def test_the_names_in_a_weight():
    assert Formula("(1 - alpha) * lambda_adv + alpha").names == {"alpha", "lambda_adv"}
    assert Formula("1").names == set()


LONG = 3 * EVERY + 1
LINES = [
    {"kind": "constant", "value": 0.5},
    {"kind": "linear", "start": 1.0, "end": -1.0},
    {"kind": "cosine", "peak": 2.0, "end": -0.5, "warmup_steps": 12_345},
    {"kind": "cosine", "peak": -2.0, "warmup_steps": 1},
    {"kind": "linear", "start": 0.5, "end": 1.0, "steps": 11_111, "after": -2.0},
    {**UFT, "steps": 12_321, "warmup_steps": 10_987, "after": 3.0},
    {"kind": "piecewise", "values": [0.0, 5.0, 1.0, -5.0, 0.5], "at": [17, 18, 22_222, 22_223]},
    {"kind": "piecewise", "values": [0.0, 5.0, 1.0], "at": [0.1, 0.10004]},
    {"kind": "warmup_decay", "warmup_steps": 7, "decay_steps": 12, "peak": 1.0, "valley": -3.0},
    {"kind": "warmup_decay", "warmup_steps": LONG, "decay_steps": 9, "peak": 1.0, "valley": -3.0},
]


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_long_runs_telling_steps_have_the_least_and_the_most(line):
    value_at, steps = schedule(line, LONG), telling_steps([schedule_options(line)], LONG)
    values = [value_at(step) for step in range(LONG)]
    assert min(values) == min(map(value_at, steps))
    assert max(values) == max(map(value_at, steps))


def test_a_short_run_is_looked_at_step_by_step():
    assert list(telling_steps([], EVERY)) == list(range(EVERY))


def test_the_longest_run_is_not_scanned():
    steps = telling_steps(map(schedule_options, LINES), 99_999_999)
    assert len(steps) < 2000
    assert (steps[0], steps[-1]) == (0, 99_999_998)


def test_every_packaged_schedule_says_where_its_corners_are():
    for line in LINES:
        assert known_corners(schedule_options(line)) is not None


def test_a_schedule_depends_on_the_length_of_the_run_where_that_decides_it():
    depend = [line for line in LINES if depends_on_steps(schedule_options(line))]
    assert depend == [
        *(line for line in LINES if line["kind"] in ("linear", "cosine") and "steps" not in line),
        *(line for line in LINES if line["kind"] == "piecewise" and line["at"][0] < 1),
    ]


def test_only_what_is_drawn_or_follows_measurements_is_unforeseen():
    assert not any(unforeseen(schedule_options(line)) for line in LINES)
    assert {line["kind"] for line in LINES} == {*schedules}
    assert unforeseen(schedule_options({"kind": "coin", "p": 0.5}))
    assert {"coin", "target"} <= {*all_schedules} - {*schedules}
