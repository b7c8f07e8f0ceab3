"""A name in a config leads to a definition, and what it may be given is checked before it runs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from uniapl_cli.errors import UniAPLError
from uniapl_cli.registry import Registry, conforms, spell


@pytest.fixture
def tools():
    registry = Registry("tool")

    @registry.register("hammer", loud=True)
    def hammer(nails: int, *, weight: float, grip: Literal["wood", "steel"] = "wood") -> tuple:
        """Hit."""
        return nails, weight, grip

    @registry.register("saw")
    def saw(planks: int) -> int:
        """Cut."""
        return planks

    return registry


def test_a_definition_is_found_by_its_name(tools):
    assert "hammer" in tools
    assert "plane" not in tools
    assert (list(tools), len(tools)) == (["hammer", "saw"], 2)
    assert tools["saw"].make(3) == 3
    assert tools["hammer"].facts == {"loud": True}


def test_bound_parameters_are_filled_in(tools):
    assert tools["hammer"].bind({"weight": 2, "grip": "steel"})(5) == (5, 2, "steel")


def test_the_program_gives_what_a_definition_takes_and_keeps_the_rest(tools):
    assert tools["hammer"].bind({}, weight=1.5, colour="red")(5) == (5, 1.5, "wood")


# what is asked of the registry -> what the message must say
MISTAKES = {
    "an unknown name": (lambda r: r["hamer"], "unknown tool 'hamer'. Did you mean 'hammer'?"),
    "an unknown parameter": (
        lambda r: r["hammer"].bind({"weigth": 1}),
        "tool 'hammer': unknown parameter 'weigth'. Did you mean 'weight'? Known: grip, weight. "
        "It takes: weight, grip = 'wood'",
    ),
    "a missing parameter": (
        lambda r: r["hammer"].bind({}),
        "tool 'hammer': 'weight' is missing. It takes: weight, grip = 'wood'",
    ),
    "a wrong type": (
        lambda r: r["hammer"].bind({"weight": "heavy"}),
        "tool 'hammer': weight = 'heavy' is not of type float. It takes: weight, grip = 'wood'",
    ),
    "a wrong choice": (
        lambda r: r["hammer"].bind({"weight": 1, "grip": "glass"}),
        "grip = 'glass' is not of type 'wood' or 'steel'",
    ),
    "a parameter where none is taken": (
        lambda r: r["saw"].bind({"teeth": 3}),
        "tool 'saw': unknown parameter 'teeth'. Known: (none). It takes: nothing",
    ),
    "what the program itself gives": (
        lambda r: r["hammer"].bind({"weight": 1}, weight=2),
        "unknown parameter 'weight'. Known: grip. It takes: grip = 'wood'",
    ),
    "a positional parameter": (
        lambda r: r["hammer"].bind({"weight": 1, "nails": 1}),
        "unknown parameter 'nails'",
    ),
}


@pytest.mark.parametrize(("ask", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_what_is_allowed(tools, ask, said):
    with pytest.raises(UniAPLError) as caught:
        ask(tools)
    assert said in str(caught.value)


def test_a_name_is_given_once(tools):
    with pytest.raises(ValueError, match="tool 'saw' is registered twice"):
        tools.register("saw")(lambda: None)


CONFORMING = [
    (1, int, True),
    (1, float, True),
    (1.5, int, False),
    (True, int, False),
    (True, float, False),
    (True, bool, True),
    (1, bool, False),
    ("a", str, True),
    ("a", Literal["a", "b"], True),
    ("c", Literal["a", "b"], False),
    (None, int | None, True),
    (None, int, False),
    ("1", int | None, False),
    ([1, 2.5], list[float], True),
    ([1, "a"], list[float], False),
    ("ab", list[str], False),
    ((1, 2), Sequence[int], True),
    ({"a": 1}, dict[str, int], True),
    ({"a": "b"}, Mapping[str, int], False),
    ([1], dict[str, int], False),
    (object(), Any, True),
]


@pytest.mark.parametrize(("value", "annotation", "expected"), CONFORMING)
def test_a_value_is_of_its_type_or_not(value, annotation, expected):
    assert conforms(value, annotation) is expected


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (int, "int"),
        (list[str], "list[str]"),
        (Sequence[int], "list[int]"),
        (Literal["at least", "less than"], "'at least' or 'less than'"),
        (int | str, "int or str"),
    ],
)
def test_a_type_is_written_as_a_reader_would(annotation, said):
    assert spell(annotation) == said
