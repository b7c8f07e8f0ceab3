"""Formulas are arithmetic and conditions, over numbers and tensors alike, and nothing else."""

import math

import pytest
import torch

from uniapl_cli.errors import ConfigError
from uniapl_cli.formulas import Formula

VALUES = {"a": 0.25, "b": 2.0, "yes": True, "no": False}

NUMBERS = {
    "1": 1.0,
    "(1 - a) * b": 1.5,
    "-a + 3": 2.75,
    "b ** 3 / 4": 2.0,
    "(1 - a) ** 0.5": 0.75**0.5,
    "2 ** -a": 2**-0.25,
    "exp(a) * log(b)": math.exp(0.25) * math.log(2),
    "min(a, b) + max(a, 1)": 1.25,
    "max(min(b, 1), 0)": 1.0,
}
TRUTHS = {
    "yes": True,
    "not no": True,
    "a < b": True,
    "a <= 0.25 and b != 2": False,
    "a <= 0.25 and b >= 2": True,
    "a < 0.25 or b > 2": False,
    "a == 0.25 or no": True,
    "yes and not (a > b or no)": True,
    "1 - a >= b": False,
    "no or no or yes": True,
}


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_arithmetic_of_numbers(text, value):
    assert Formula(text)(VALUES) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), TRUTHS.items())
def test_conditions_of_numbers(text, value):
    assert Formula(text, "truth")(VALUES) is value


@pytest.mark.parametrize(
    ("text", "kind"), [(t, "number") for t in NUMBERS] + [(t, "truth") for t in TRUTHS]
)
def test_what_holds_for_numbers_holds_for_each_element(text, kind):
    """A tensor whose elements are the values gives the numbers' own result in each of them."""
    rows = {name: torch.tensor([[value], [value]]) for name, value in VALUES.items()}
    rows["b"] = torch.full((1, 3), VALUES["b"])  # which broadcasts
    result = torch.as_tensor(Formula(text, kind)(rows))
    expected = torch.as_tensor(Formula(text, kind)(VALUES)).expand_as(result)
    assert torch.allclose(result.double(), expected.double())


def test_mixed_tensors_and_numbers():
    values = {"p": torch.tensor([0.0, 0.5, 1.0]), "gamma": 0.5}
    assert Formula("(1 - p) ** gamma")(values).tolist() == pytest.approx([1, 0.5**0.5, 0])
    assert Formula("p > gamma or p == 0", "truth")(values).tolist() == [True, False, True]
    assert Formula("max(p, gamma)")(values).tolist() == [0.5, 0.5, 1.0]
    assert Formula("min(gamma, p)")(values).tolist() == [0.0, 0.5, 0.5]


REFUSED = {
    "number": ["a < b", "not a", "a and b", "True", "sqrt(a)", "max(a)", "exp(a, b)"],
    "truth": [
        "1",
        "a + b",
        "1 - a",
        "a < b < 1",
        "yes + 1 < 2 and 3",
        "yes if no else yes",
        "-yes",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in REFUSED.items() for t in ts])
def test_a_formula_of_the_other_kind_is_refused(kind, text):
    with pytest.raises(ValueError, match="not allowed"):
        Formula(text, kind)


@pytest.mark.parametrize(
    "text", ["(" * 500 + "a" + ")" * 500, "not " * 2000 + "yes", "a" + "+a" * 9999]
)
@pytest.mark.parametrize("kind", ["number", "truth"])
def test_a_formula_that_is_too_deep_is_refused_not_crashed_by(text, kind):
    with pytest.raises(ValueError):
        Formula(text, kind)


def test_what_no_number_can_hold_is_infinite_or_none():
    assert Formula("9 ** 9 ** 9")({}) == math.inf
    assert Formula("exp(1e6)")({}) == math.inf
    assert math.isnan(Formula("(0 - 8) ** 0.5")({}))
    assert Formula("log(0)")({}) == -math.inf
    assert math.isnan(Formula("log(0 - 1)")({}))


def test_names_have_kinds():
    formula = Formula("expert and share <= 1 - gate", "truth")
    assert formula.names == {"expert", "share", "gate"}
    formula.check({"expert": "truth", "share": "number", "gate": "number"}, "fact")
    for wrong, got in (({"expert": "number"}, "expert"), ({"share": "truth"}, "share")):
        known = {"expert": "truth", "share": "number", "gate": "number", **wrong}
        with pytest.raises(ConfigError) as caught:
            formula.check(known, "fact")
        assert caught.value.got == got
    with pytest.raises(ConfigError) as caught:
        formula.check({"exper": "truth", "share": "number", "gate": "number"}, "fact")
    assert (caught.value.got, caught.value.suggestion) == ("expert", "exper")


def test_formulas_of_one_text_are_equal():
    assert Formula(" 1 - p") == Formula(" 1 - p")
    assert Formula("p") != Formula("p", "truth")
