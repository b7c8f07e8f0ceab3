"""A name in a config leads to a definition, and what it may be given is checked before it runs."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt, ValidationError

from uniapl_cli.errors import UniAPLError
from uniapl_cli.options import Options, conforms, key, section
from uniapl_cli.registry import Choice, Named, NameOf, Registry


class Tool(Options):
    """What all tools have."""

    owner: str = key("me", "whose it is")


def _light(*, weight: float, **_: Any) -> None:
    if weight > 90:
        raise ValueError("too heavy to lift")


@pytest.fixture
def tools():
    registry = Registry("tool", base=Tool, supplied=("arm",))

    @registry.register("hammer", loud=True, sensible=_light)
    def hammer(
        nails: int, *, arm: str, weight: float, grip: Literal["wood", "steel"] = "wood"
    ) -> tuple:
        """Hit.

        With an arm.
        """
        return nails, arm, weight, grip

    @registry.register("saw")
    def saw(planks: int, *, teeth: PositiveInt = 9) -> int:
        """Cut."""
        return planks * teeth

    @registry.register("axe")
    class Axe(Tool):
        """Split."""

        edge: float = key(1.0, "how sharp", gt=0)

        def split(self, logs: int) -> float:
            return logs * self.edge

    return registry


def test_a_definition_is_found_by_its_name(tools):
    assert "hammer" in tools and "plane" not in tools
    assert (list(tools), len(tools)) == (["axe", "hammer", "saw"], 3)
    assert tools["saw"].definition(3, teeth=2) == 6
    assert tools["hammer"].traits["loud"] is True
    assert tools["hammer"].summary == "Hit."


def test_what_may_be_set_is_what_the_program_does_not_supply(tools):
    assert set(tools["hammer"].takes()) == {"owner", "weight", "grip"}
    assert set(tools["saw"].takes()) == {"owner", "teeth"}
    assert tools["axe"].takes()["edge"].description == "how sharp"


def test_a_function_is_bound_to_its_options_and_to_what_it_takes_of_the_supplied(tools):
    options = tools.options("hammer", weight=2, owner="you")
    assert tools.bind(options, arm="left", colour="red")(5) == (5, "left", 2.0, "wood")
    assert tools.wants(options, "arm") and not tools.wants(options, "colour")
    assert tools.bind(tools.options("saw"), arm="left")(2) == 18


def test_a_class_of_options_does_the_work_itself(tools):
    axe = tools.options("axe", edge=2)
    assert axe.split(3) == 6.0
    assert isinstance(axe, tools["axe"].definition)
    assert tools.entry(axe) is tools["axe"]


# the tool's name, the options, and pydantic's name of the error with its place
MISTAKES = {
    "an unknown option": ("saw", {"tooth": 3}, "extra_forbidden", ("tooth",)),
    "a missing option": ("hammer", {}, "missing", ("weight",)),
    "a wrong type": ("hammer", {"weight": "heavy"}, "float_type", ("weight",)),
    "a bool for a number": ("saw", {"teeth": True}, "int_type", ("teeth",)),
    "a wrong choice": ("hammer", {"weight": 1, "grip": "glass"}, "literal_error", ("grip",)),
    "a bound": ("saw", {"teeth": 0}, "greater_than", ("teeth",)),
    "not a number": ("axe", {"edge": math.nan}, "finite_number", ("edge",)),
    "infinity": ("axe", {"edge": math.inf}, "finite_number", ("edge",)),
    "options that do not go together": ("hammer", {"weight": 99}, "value_error", ()),
    "what the program supplies": ("hammer", {"weight": 1, "arm": "a"}, "extra_forbidden", ("arm",)),
    "a positional parameter": ("saw", {"planks": 1}, "extra_forbidden", ("planks",)),
    "an option of the base": ("saw", {"owner": 1}, "string_type", ("owner",)),
    "another kind": ("saw", {"kind": "axe"}, "literal_error", ("kind",)),
}


@pytest.mark.parametrize(("name", "values", "kind", "place"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(tools, name, values, kind, place):
    with pytest.raises(ValidationError) as caught:
        tools.options(name, **values)
    assert {(error["type"], error["loc"]) for error in caught.value.errors()} >= {(kind, place)}


def test_an_unknown_name_is_told_with_the_one_that_was_meant(tools):
    with pytest.raises(UniAPLError) as caught:
        tools["hamer"]
    assert (caught.value.got, caught.value.suggestion) == ("hamer", "hammer")
    assert caught.value.allowed == ("axe", "hammer", "saw")


def test_options_do_not_change(tools):
    with pytest.raises(ValidationError):
        tools.options("axe").edge = 3.0


def test_a_name_is_given_once(tools):
    with pytest.raises(ValueError):
        tools.register("saw")(lambda: None)


def test_what_is_registered_after_the_schema_was_built_is_refused(tools):
    chest_of(tools)(first="saw")
    with pytest.raises(ValueError):
        tools.register("plane")(lambda: None)


def test_a_deferred_schema_lets_others_register_until_it_is_used(tools):
    class Deferred(Options):
        first: Annotated[Options, Choice(tools)]

    @tools.register("plane")
    def plane(*, depth: float = 0.5) -> None:
        """Smooth."""

    assert Deferred(first="plane").first.depth == 0.5


def chest_of(tools):
    class Chest(Options):
        first: Annotated[Options, Choice(tools, default="saw", number=("axe", "edge"))] = key(
            ..., "a tool"
        )
        more: Annotated[dict[str, Options], Named(Choice(tools, number=(None, "weight")))] = key(
            {}, "tools by name"
        )
        best: Annotated[str, NameOf(tools, ("none",))] = key("none", "one of them")
        tool: Tool = section(Tool, "what all have")

    return Chest


@pytest.mark.parametrize(
    ("written", "kind", "options"),
    [
        ("saw", "saw", {"teeth": 9}),
        ({"teeth": 4}, "saw", {"teeth": 4}),
        ({"kind": "axe", "edge": 3}, "axe", {"edge": 3.0}),
        (2.5, "axe", {"edge": 2.5}),
        ({"kind": "hammer", "weight": 1}, "hammer", {"weight": 1.0, "grip": "wood"}),
    ],
)
def test_a_choice_is_a_name_options_or_a_number(tools, written, kind, options):
    chosen = chest_of(tools)(first=written).first
    assert tools.entry(chosen).name == kind
    assert chosen.model_dump() == {"owner": "me", "kind": kind, **options}


def test_options_that_were_made_before_are_a_choice_too(tools):
    axe = tools.options("axe", edge=2)
    assert chest_of(tools)(first=axe).first == axe


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("plane", "union_tag_invalid"),
        ({"kind": "axe", "teeth": 3}, "extra_forbidden"),
        (True, "union_tag_not_found"),
        (None, "union_tag_not_found"),
    ],
)
def test_a_choice_that_is_none(tools, written, error):
    with pytest.raises(ValidationError) as caught:
        chest_of(tools)(first=written)
    assert caught.value.errors()[0]["type"] == error
    assert caught.value.errors()[0]["loc"][0] == "first"


def test_entries_of_a_map_choose_by_their_names(tools):
    more = chest_of(tools)(first="saw", more={"hammer": 2, "second": {"kind": "axe"}}).more
    assert {name: tools.entry(tool).name for name, tool in more.items()} == {
        "hammer": "hammer",
        "second": "axe",
    }
    assert more["hammer"].weight == 2
    with pytest.raises(ValidationError) as caught:
        chest_of(tools)(first="saw", more={"hamer": 2})
    assert caught.value.errors()[0]["loc"] == ("more", "hamer")


def test_a_name_of_an_entry_or_of_something_else(tools):
    assert chest_of(tools)(first="saw", best="axe").best == "axe"
    with pytest.raises(ValidationError) as caught:
        chest_of(tools)(first="saw", best="hamer")
    assert caught.value.errors()[0]["ctx"]["error"].args[0].suggestion == "hammer"


def test_help_and_what_may_change_stand_with_the_field():
    class Work(Options):
        speed: int = key(3, "how fast", may_change=True, ge=1)
        depth: Annotated[int, Field(json_schema_extra={"may_change": True})] = 2
        seed: int = key(0, "of chance")

    fields = Work.model_fields
    assert fields["speed"].description == "how fast"
    marks = {name: (f.json_schema_extra or {}).get("may_change") for name, f in fields.items()}
    assert marks == {"speed": True, "depth": True, "seed": None}


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
