"""Numbers over steps as published, and weights that are arithmetic and nothing else."""

import pytest

from uniapl_cli.errors import ConfigError, UniAPLError
from uniapl_cli.training.schedules import names_in, schedule, shapes, weight

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


@pytest.mark.parametrize(("options", "golden"), list(GOLDEN_MU.items()))
def test_mu_is_as_published(options, golden):
    names = ("warmup_steps", "decay_steps", "peak", "valley")
    given = {"shape": "warmup_decay", **dict(zip(names, options, strict=True))}
    mu = schedule("mu", given, steps=10)
    assert [mu(step) for step in STEPS] == pytest.approx(golden, abs=5e-7)


def test_without_warm_up_and_decay_mu_is_its_valley_and_says_so():
    given = {"shape": "warmup_decay", "warmup_steps": 0, "decay_steps": 0, "valley": 0.2}
    assert schedule("mu", {**given, "peak": 0.2}, 10)(0) == 0.2
    with pytest.raises(ConfigError, match=r"always valley = 0.2, and peak = 1 is never reached"):
        schedule("mu", {**given, "peak": 1}, 10)(0)


@pytest.mark.parametrize("given", [0.3, 3, {"shape": "constant", "value": 0.3}])
def test_a_constant_stays(given):
    made = schedule("x", given, 10)
    assert made(0) == made(9) == made(1000) == pytest.approx(0.3 if given != 3 else 3)


def test_a_line_goes_from_its_start_at_the_first_step_to_its_end_at_the_last():
    made = schedule("x", {"shape": "linear", "start": 1.0, "end": 0.0}, 5)
    assert [made(step) for step in range(7)] == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0])


def test_a_line_of_one_step_is_its_start():
    assert schedule("x", {"shape": "linear", "start": 1.0, "end": 0.0}, 1)(0) == 1.0


def test_a_cosine_rises_in_a_line_and_falls_along_half_a_wave():
    given = {"shape": "cosine", "peak": 4.0, "end": 2.0, "warmup_steps": 4}
    made = schedule("lr", given, 12)
    assert [made(step) for step in range(5)] == pytest.approx([1, 2, 3, 4, 4])
    assert made(8) == pytest.approx(3)
    assert made(12) == made(99) == pytest.approx(2)
    assert all(made(step) > made(step + 1) for step in range(4, 12))


@pytest.mark.parametrize("name", list(shapes))
def test_every_shape_gives_finite_numbers_at_every_step(name):
    numbers = {"warmup_steps": 3, "decay_steps": 4}
    taken = [n for n in shapes[name].parameters if n != "steps"]
    made = schedule("x", {"shape": name, **{n: numbers.get(n, 0.5) for n in taken}}, 10)
    assert all(0 <= made(step) <= 0.5 for step in range(20))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("fast", "x = 'fast': a number is needed, or {shape: constant | cosine | linear"),
        (True, "x = True: a number is needed"),
        (None, "x = None: a number is needed"),
        ({"peak": 1}, "a number is needed, or {shape:"),
        ({"shape": "cosin"}, "unknown schedule shape 'cosin'. Did you mean 'cosine'?"),
        ({"shape": "cosine"}, "'peak' is missing"),
        ({"shape": "cosine", "peak": "high"}, "peak = 'high' is not of type float"),
        ({"shape": "cosine", "peak": 1, "steps": 5}, "unknown parameter 'steps'"),
        ({"shape": "linear", "strat": 1, "end": 0}, "'strat'. Did you mean 'start'?"),
    ],
)
def test_what_is_no_schedule_is_refused(given, said):
    with pytest.raises(UniAPLError) as caught:
        schedule("x", given, 10)
    assert said in str(caught.value)


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
    assert weight("term", text, SCALES)(SCALES) == pytest.approx(value)


REFUSED = {
    "a call": ("abs(alpha)", "'abs(alpha)' is not allowed"),
    "a call deep inside": ("1 - (alpha * max(1, 2))", "'max(1, 2)' is not allowed"),
    "an attribute": ("alpha.real", "'alpha.real' is not allowed"),
    "an import": ("__import__('os').system('true')", "is not allowed"),
    "a subscript": ("alpha[0]", "'alpha[0]' is not allowed"),
    "text": ("'alpha'", "is not allowed"),
    "a truth": ("True", "'True' is not allowed"),
    "an imaginary number": ("1j", "'1j' is not allowed"),
    "a power": ("9 ** 9 ** 9", "is not allowed"),
    "a remainder": ("alpha % 2", "is not allowed"),
    "a bit flip": ("~1", "'~1' is not allowed"),
    "a comparison": ("alpha < 1", "is not allowed"),
    "a choice": ("1 if alpha else 2", "is not allowed"),
    "a function": ("lambda: 1", "is not allowed"),
    "a list": ("[1]", "is not allowed"),
    "an assignment": ("alpha = 1", "not arithmetic"),
    "a statement": ("import os", "not arithmetic"),
    "an open bracket": ("(1 - alpha", "not arithmetic"),
    "nothing": ("", "not arithmetic"),
    "an unknown name": (
        "1 - alhpa",
        "unknown schedule 'alhpa'. Did you mean 'alpha'? Known: alpha",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_weight_is_nothing_but_arithmetic(text, said):
    with pytest.raises(ConfigError) as caught:
        weight("kl", text, SCALES)
    assert str(caught.value).startswith(f"terms.kl.weight = {text!r}: ")
    assert said in str(caught.value)


def test_a_division_by_zero_is_named():
    with pytest.raises(ConfigError, match=r"terms.kl.weight = '1 / alpha': divides by zero"):
        weight("kl", "1 / alpha", SCALES)({**SCALES, "alpha": 0.0})


def test_the_names_in_a_weight():
    assert names_in("(1 - alpha) * lambda_adv + alpha") == {"alpha", "lambda_adv"}
    assert names_in("1") == set()
